// The counting of rows beside the counters, shown to see what it is there for.
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/e2e/store_copy.h"

namespace clinic::e2e {
namespace {

// What adds up no more, once this has happened to a copy of the store.
std::string after(const Box& box, Literal sql) {
    StoreCopy copy{box};
    EXPECT_TRUE(copy.opened());
    if (!copy.opened()) return "";
    EXPECT_TRUE(copy.tally().faults().empty()) << "before";
    const auto done = copy.store().write([&](records::Transaction& txn) -> Result<void> {
        auto statement = txn.prepare(sql);
        if (!statement) return statement.error();
        return statement->run();
    });
    EXPECT_TRUE(done) << done.error().what.c_str();
    std::string all;
    for (const auto& fault : copy.tally().faults()) all += fault + "; ";
    return all;
}

TEST(TheBooks, ALostAndADoubledRowAreSeen) {
    Box box;
    for (const pid_t one : box.pids("clinic-syncd")) kill(one, SIGSTOP); // what is released stays
    // More than it has workers, each of which has a lease already.
    for (const char* number : {"L1", "L2", "L3", "L4", "L5", "L6", "L7", "L8"})
        ASSERT_NE(box.send(adt("A28", std::string{"C"} + number, number, "Quillfeather", "Ottoline")).find("MSA|AA|"),
                  std::string::npos);
    const auto seen = [](const std::string& faults, const char* what) {
        return faults.find(what) != std::string::npos;
    };
    const auto lost = after(box, "DELETE FROM outbox WHERE id = (SELECT max(id) FROM outbox WHERE state = 1)");
    EXPECT_TRUE(seen(lost, "pending: ") && seen(lost, "ended: ")) << lost;
    const auto doubled =
        after(box, "INSERT INTO outbox (destination, patient, kind, scope, state, queued_at, due_at, envelope)"
                   " SELECT destination, patient, kind, scope, state, queued_at, due_at, envelope FROM outbox"
                   " WHERE state = 1 LIMIT 1");
    EXPECT_TRUE(seen(doubled, "pending: ") && seen(doubled, "released: ")) << doubled;
    const auto moved =
        after(box, "UPDATE outbox_counter SET envelopes = envelopes + CASE state WHEN 1 THEN -1 ELSE 1 END"
                   " WHERE destination = 0 AND state IN (0, 1)");
    EXPECT_TRUE(seen(moved, "pending: ") && seen(moved, "released: ")) << moved;
    const auto message = after(box, "UPDATE feed_counter SET received = received + 1, stored = stored + 1"
                                    " WHERE feed = 'mllp'");
    EXPECT_TRUE(seen(message, "stored: ")) << message;
    for (const pid_t one : box.pids("clinic-syncd")) kill(one, SIGCONT);
}

} // namespace
} // namespace clinic::e2e
