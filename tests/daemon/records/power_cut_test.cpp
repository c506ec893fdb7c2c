// Power cuts under a whole store: its database, its keystore, its migrations.
#include "tests/crypto/cut_campaign.h"

#include <algorithm>
#include <atomic>
#include <fstream>

#include "tests/daemon/records/raw_database.h"
#include "tests/daemon/records/records_fixture.h"
#include "tests/daemon/records/store_jobs.h"

namespace clinic::records {
namespace {

using crypto::tests::Bounds;
using crypto::tests::CutWorkload;
using crypto::tests::DiskEvent;
using crypto::tests::FaultDisk;
using crypto::tests::Found;
using crypto::tests::Pretended;

// What is there before, and so what the first opening has to do.
enum class Start {
    nothing,        // makes the store, its schema and its keystore
    some_people,    // nothing
    first_schema,   // all migrations, with people there
    nearly_dry,     // nothing; the keystore grows a few jobs later
    one_superblock, // writes the other anew
};

class PracticeJobs final : public CutWorkload {
public:
    PracticeJobs(Start start, crypto::CipherId cipher)
        : start_{start}, cipher_{cipher}, first_{start == Start::nothing      ? 0
                                                 : start == Start::nearly_dry ? StoreJobs::nearly_dry
                                                                              : 12} {}

    void prepare(const std::filesystem::path& folder) override {
        if (start_ == Start::nothing) return;
        {
            const StoreJobs jobs{folder, cipher_};
            const auto store = jobs.open();
            ASSERT_TRUE(store);
            StoreJobs::write_group(**store, 1, first_, [](int) {});
        }
        if (start_ == Start::first_schema) RawDatabase{folder, slot_of('k')}.run(back_to_first_version);
        if (start_ == Start::one_superblock) {
            std::fstream file{folder / "records.db", std::ios::binary | std::ios::in | std::ios::out};
            file.seekp(4'096 + 100).write("damaged", 7);
        }
    }

    void run(const std::filesystem::path& folder, const FaultDisk& disk) override {
        const StoreJobs jobs{folder, cipher_};
        auto store = jobs.open();
        ASSERT_TRUE(store);
        opened_ = disk.events();
        const auto acknowledge = [&](int job) {
            ASSERT_EQ(job, first_ + static_cast<int>(acknowledged_.size()) + 1);
            acknowledged_.push_back(disk.events());
        };
        int job = first_;
        for (const int group : groups()) {
            if (job == first_ + jobs_before_reopening) {
                store->reset();
                store = jobs.open();
                ASSERT_TRUE(store);
            }
            begun_.insert(begun_.end(), static_cast<std::size_t>(group), disk.events());
            StoreJobs::write_group(**store, job + 1, job + group, acknowledge);
            job += group;
        }
        store->reset();
        if (start_ == Start::first_schema) migrating_ = first_wal_write(disk);
    }

    Bounds bounds(std::size_t events) const override {
        const auto until = [events](const auto& all) {
            return static_cast<int>(std::ranges::upper_bound(all, events) - all.begin());
        };
        return {first_ + until(acknowledged_), first_ + until(begun_)};
    }

    std::string amid(std::size_t events) const override {
        if (events >= opened_) return {};
        if (start_ != Start::first_schema) return "opening";
        return events >= migrating_ ? "migration" : "";
    }

    Found judge(const std::filesystem::path& folder, Bounds bounds) override {
        if (std::filesystem::exists(folder / "closed-in-order") && !bounds.again && !is_closed_at(bounds))
            return {"it is marked as closed in order, and was written after that"};
        if (auto left = erased_key_left(folder, bounds.returned); !left.empty()) return {left};
        return judge_store(folder, bounds);
    }

private:
    static constexpr int jobs_before_reopening = 7;

    // Jobs that are posted in one go. After migrations one alone, so that the cuts are for them.
    std::vector<int> groups() const {
        if (start_ == Start::first_schema) return {1};
        return {1, 1, 1, 3, 1, 1, 1, 1, 4, 1, 1, 1};
    }

    // The mark stands in front of no write: before the first job, between the two openings, and after the last job.
    bool is_closed_at(Bounds bounds) const {
        const int jobs = bounds.at_most - first_;
        return jobs == 0 || jobs == jobs_before_reopening || jobs == static_cast<int>(begun_.size());
    }

    // The events up to it: the opening writes nothing else there before.
    static std::size_t first_wal_write(const FaultDisk& disk) {
        int wal = -1;
        std::size_t events = 0;
        for (const auto& event : disk.log()) {
            ++events;
            if (event.kind == DiskEvent::Kind::create && event.name == "records.db-wal") wal = event.file;
            if (event.kind == DiskEvent::Kind::write && event.file == wal) return events;
        }
        return events;
    }

    const Start start_;
    const crypto::CipherId cipher_;
    const int first_;                               // jobs that are durable before the disk is watched
    std::size_t opened_ = 0;                        // the disk's events at the end of the first opening
    std::size_t migrating_ = 0;                     // at the first write of its migrations
    std::vector<std::size_t> begun_, acknowledged_; // and at each job
};

struct Subject {
    Start start;
    const char* name;
    const char* amid;          // what its cuts are for
    double share_at_least = 0; // of its cuts that are amid that

    friend void PrintTo(const Subject& subject, std::ostream* out) { *out << subject.name; }
};

constexpr int cuts_a_round = 20;
constexpr std::uint64_t rounds_plain = 3;

class StorePowerCut : public testing::TestWithParam<Subject> {};

TEST_P(StorePowerCut, LosesNoRecordAndNoKey) {
    const Subject subject = GetParam();
    auto cut = crypto::tests::cut_rounds({.name = std::string{"power_cuts_"} + subject.name,
                                          .what = "cuts",
                                          .plain = rounds_plain,
                                          .most = 1'000,
                                          .weight = cuts_a_round},
                                         [&](std::uint64_t seed) {
                                             return PracticeJobs{subject.start, cipher_of(seed)};
                                         });
    if (!cut.all_plain) return;
    EXPECT_GT(cut.amid[subject.amid], 0) << subject.amid;
    EXPECT_GE(cut.amid[subject.amid], subject.share_at_least * static_cast<double>(cut.rounds * cuts_a_round))
        << subject.amid;
}

INSTANTIATE_TEST_SUITE_P(Of, StorePowerCut,
                         testing::Values(Subject{Start::nothing, "making", "opening"},
                                         Subject{Start::some_people, "running", "key slot"},
                                         Subject{Start::first_schema, "migration", "migration", 0.5},
                                         Subject{Start::nearly_dry, "keystore", "new key slots"},
                                         Subject{Start::one_superblock, "superblock", "superblock"}),
                         [](const auto& one) { return std::string{one.param.name}; });

// A disk that says it has what it does not have is found out by the record or the key that is gone.
struct Weak {
    const char* name;
    Start start;
    Pretended pretended;

    friend void PrintTo(const Weak& weak, std::ostream* out) { *out << weak.name; }
};

class WeakStoreDisk : public testing::TestWithParam<Weak> {};

TEST_P(WeakStoreDisk, IsFoundOut) {
    int wrong = 0;
    for (std::uint64_t seed = 1; seed <= 2; ++seed) {
        PracticeJobs workload{GetParam().start, cipher_of(seed)};
        wrong += crypto::tests::cut_power(workload, seed, 20, GetParam().pretended).wrong;
    }
    EXPECT_GT(wrong, 0);
}

Pretended syncs_of(const char* name) {
    return [name](const DiskEvent& sync) { return sync.name == name; };
}

INSTANTIATE_TEST_SUITE_P(
    Each, WeakStoreDisk,
    testing::Values(Weak{"mark", Start::some_people,
                         [](const DiskEvent& sync) { return sync.kind == DiskEvent::Kind::sync_folder; }},
                    Weak{"wal", Start::some_people, syncs_of("records.db-wal")},
                    Weak{"database", Start::some_people, syncs_of("records.db")},
                    Weak{"keys_that_grow", Start::nearly_dry, syncs_of("keys.db")},
                    Weak{"keys_that_are_erased", Start::some_people, syncs_of("keys.db")},
                    Weak{"folder", Start::nothing,
                         [](const DiskEvent& sync) { return sync.kind == DiskEvent::Kind::sync_folder; }}),
    [](const auto& one) { return std::string{one.param.name}; });

} // namespace
} // namespace clinic::records
