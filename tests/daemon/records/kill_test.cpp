// A writer killed at any moment: what was acknowledged is there, and the store opens.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <random>
#include <set>

#include "crypto/base/owned.h"
#include "tests/daemon/records/records_fixture.h"

namespace clinic::records {
namespace {

class Killed : public Records {
protected:
    // Writes people from `first` on and tells each number through the pipe once it is durable; never returns.
    [[noreturn]] void write_until_killed(int acks, int first) {
        auto opened = open();
        if (!opened) _exit(1);
        store_ = std::move(*opened);
        for (int n = first;; ++n) {
            const std::string mrn = std::to_string(n);
            const auto tell = [acks, n](const Result<void>& result) {
                if (!result || ::write(acks, &n, sizeof n) != static_cast<ssize_t>(sizeof n)) _exit(2);
            };
            const auto job = [this, mrn](Transaction& txn) -> Result<void> {
                const auto why = audit::Trail::append(
                    txn, {audit::Actor::feed, 1, audit::Action::create, audit::Purpose::treatment});
                if (!why) return why.error();
                const auto out = upsert_patient(txn, *why, person(mrn.c_str()), now(), false);
                if (!out) return out.error();
                return audit::Trail::add_subject(txn, *why, out->id);
            };
            while (!store_->post(job, tell)) std::this_thread::yield();
        }
    }
};

TEST_F(Killed, LosesNothingThatWasAcknowledged) {
    store_.reset();
    options_.queue_jobs_max = 16;
    options_.wal_pages_max = 60; // so that checkpoints are hit as well
    const char* counts = std::getenv("CLINIC_LONG");
    const int rounds = counts != nullptr && *counts == '1' ? 200 : 24;
    std::mt19937 random{4'711};
    std::set<int> acknowledged;
    int next = 1;
    for (int round = 0; round < rounds; ++round) {
        int ends[2];
        ASSERT_EQ(::pipe(ends), 0);
        const pid_t writer = ::fork();
        if (writer == 0) {
            ::close(ends[0]);
            write_until_killed(ends[1], next);
        }
        const base::UniqueFd acks{ends[0]};
        ::close(ends[1]);
        int n = 0;
        const std::size_t until = acknowledged.size() + random() % 120;
        while (acknowledged.size() <= until && ::read(acks.get(), &n, sizeof n) == static_cast<ssize_t>(sizeof n))
            acknowledged.insert(n);
        ::kill(writer, SIGKILL);
        while (::read(acks.get(), &n, sizeof n) == static_cast<ssize_t>(sizeof n)) acknowledged.insert(n);
        int status = 0;
        ASSERT_EQ(::waitpid(writer, &status, 0), writer);
        ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        reopen();
        EXPECT_FALSE(store_->numbers().was_closed);
        for (const int kept : acknowledged)
            ASSERT_EQ(find("number", ("HOSP|" + std::to_string(kept)).c_str()).size(), 1U) << kept;
        ASSERT_TRUE(read([](Snapshot& snapshot) { return audit::Trail::verify(snapshot); }));
        // What was not acknowledged may be there as well; the next round goes on behind it.
        next = static_cast<int>(read([](Snapshot& snapshot) { return patient_count(snapshot); }).value()) + 1;
        store_.reset();
    }
    EXPECT_GE(acknowledged.size(), 24U);
}

} // namespace
} // namespace clinic::records
