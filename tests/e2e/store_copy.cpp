#include "tests/e2e/store_copy.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <array>

#include "crypto/key_slot.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

constexpr std::array open_states{"pending", "leased", "parked", "dead"}; // outbox::State, from 1
constexpr std::int64_t first_ended = 5;

using Counts = std::map<std::int64_t, std::int64_t>;

// Two columns: a number, and how many.
Result<Counts> counts(records::Session& session, Literal sql) {
    auto find = session.prepare(sql);
    if (!find) return find.error();
    Counts counts;
    for (;;) {
        const auto row = find->step();
        if (!row) return row.error();
        if (!*row) return counts;
        counts[find->integer(0)] = find->integer(1);
    }
}

Result<Tally> count(records::Session& session) {
    Tally tally;
    const auto counters = counts(session, "SELECT state, envelopes FROM outbox_counter WHERE destination = 0");
    CLINIC_TRY(counters);
    for (const auto& [state, envelopes] : *counters) {
        if (state == 0)
            tally.released = envelopes;
        else if (state < first_ended)
            tally.counted[state] = envelopes;
        else
            tally.ended += envelopes;
    }
    auto rows = counts(session, "SELECT state, count(*) FROM outbox WHERE destination = 0 GROUP BY state");
    CLINIC_TRY(rows);
    tally.rows = std::move(*rows);
    const auto pushed = counts(session, "SELECT 0, seq FROM sqlite_sequence WHERE name = 'outbox'");
    CLINIC_TRY(pushed);
    if (!pushed->empty()) tally.pushed = pushed->at(0);
    const auto feed = counts(session, "SELECT 0, received FROM feed_counter WHERE feed = 'mllp'"
                                      " UNION ALL SELECT 1, stored FROM feed_counter WHERE feed = 'mllp'"
                                      " UNION ALL SELECT 2, quarantined FROM feed_counter WHERE feed = 'mllp'"
                                      " UNION ALL SELECT 3, refused FROM feed_counter WHERE feed = 'mllp'"
                                      " UNION ALL SELECT 4, duplicate FROM feed_counter WHERE feed = 'mllp'");
    CLINIC_TRY(feed);
    const auto of = [&](std::int64_t column) { return feed->empty() ? 0 : feed->at(column); };
    tally.received = of(0), tally.stored = of(1), tally.quarantined = of(2), tally.refused = of(3);
    tally.duplicate = of(4);
    // docs/audit.md: by a feed (1), an update or a merge (3, 4); a quarantine (11)
    const auto entries = counts(session, "SELECT action = 11, count(*) FROM audit_link WHERE kind = 1 AND actor = 1"
                                         " AND action IN (3, 4, 11) GROUP BY action = 11");
    CLINIC_TRY(entries);
    tally.taken = entries->contains(0) ? entries->at(0) : 0;
    tally.kept_apart = entries->contains(1) ? entries->at(1) : 0;
    return tally;
}

std::string told(const char* what, std::int64_t counted, std::int64_t there) {
    return std::string{what} + ": counted " + std::to_string(counted) + ", there " + std::to_string(there);
}

void stand_still(const std::vector<pid_t>& processes, int signal) {
    for (const pid_t one : processes) kill(one, signal);
}

} // namespace

std::vector<std::string> Tally::faults() const {
    std::vector<std::string> all;
    const auto expect = [&](const char* what, std::int64_t count, std::int64_t there) {
        if (count != there) all.push_back(told(what, count, there));
    };
    std::int64_t open = 0;
    for (std::size_t i = 0; i < open_states.size(); ++i) {
        const auto state = static_cast<std::int64_t>(i) + 1;
        const auto at = [state](const std::map<std::int64_t, std::int64_t>& in) {
            const auto found = in.find(state);
            return found == in.end() ? std::int64_t{0} : found->second;
        };
        expect(open_states.at(i), at(counted), at(rows));
        open += at(rows);
    }
    expect("released", released, pushed);
    expect("ended", ended, pushed - open);
    expect("stored", stored, taken);
    expect("quarantined", quarantined, kept_apart);
    expect("received", received, stored + quarantined + refused + duplicate);
    return all;
}

StoreCopy::StoreCopy(const Box& box) {
    const auto writers = box.pids("clinicd");
    stand_still(writers, SIGSTOP);
    const auto copied =
        run("cp -r '" + (box.folder() / "records").string() + "' '" + (folder_ / "records").string() + "'");
    stand_still(writers, SIGCONT);
    EXPECT_EQ(copied.exit, 0) << copied.out;
    const auto slot = crypto::KeySlot::from_credential_file(box.folder() / "keys" / "store.key");
    EXPECT_TRUE(slot);
    if (!slot) return;
    auto opened = records::Store::open({.folder = folder_ / "records"}, *slot, clock_);
    EXPECT_TRUE(opened) << opened.error().what.c_str();
    if (opened) store_ = std::move(*opened);
}

Tally StoreCopy::tally() {
    Tally tally;
    const auto read = store_->read([&](records::Snapshot& session) -> Result<void> {
        auto counted = count(session);
        if (!counted) return counted.error();
        tally = std::move(*counted);
        return {};
    });
    EXPECT_TRUE(read);
    return tally;
}

void expect_counters_are_rows(const Box& box) {
    StoreCopy copy{box};
    if (!copy.opened()) return;
    for (const auto& fault : copy.tally().faults()) ADD_FAILURE() << fault;
}

void expect_status_is_rows(const Box& box) {
    json status;
    Tally tally;
    // What changes while it is copied (a lease that is settled) is looked at again.
    const bool stood_still = eventually([&] {
        const auto books = [&] {
            const auto now = box.status();
            return json{now.at("egress"), now.at("intake")};
        };
        const auto before = books();
        StoreCopy copy{box};
        if (copy.opened()) tally = copy.tally();
        status = box.status();
        return json{status.at("egress"), status.at("intake")} == before;
    });
    EXPECT_TRUE(stood_still);
    for (const auto& fault : tally.faults()) ADD_FAILURE() << fault;
    const auto& crm = status.at("egress").at("crm");
    EXPECT_EQ(crm.at("released"), tally.pushed);
    for (std::size_t i = 0; i < open_states.size(); ++i) {
        const auto rows = tally.rows.find(static_cast<std::int64_t>(i) + 1);
        EXPECT_EQ(crm.at(open_states.at(i)), rows == tally.rows.end() ? 0 : rows->second) << open_states.at(i);
    }
    const auto& feed = status.at("intake").at("mllp");
    EXPECT_EQ(feed.at("stored"), tally.taken);
    EXPECT_EQ(feed.at("quarantined"), tally.kept_apart);
}

} // namespace clinic::e2e
