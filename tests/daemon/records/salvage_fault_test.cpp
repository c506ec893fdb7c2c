// The n-th call of the disk under a salvage fails, and the n-th allocation of SQLite, for every n: a clear error, or a
// new store that says what it could not read; the old files are as they were, and the next salvage saves all of it.
#include <cstdio>
#include <numeric>

#include "tests/crypto/failing_memory.h"
#include "tests/crypto/fault_disk.h"
#include "tests/daemon/records/damaged_store.h"
#include "tests/daemon/records/every_nth.h"
#include "tests/daemon/records/store_jobs.h"
#include "tests/support/campaign.h"

namespace clinic::salvage {
namespace {

namespace fs = std::filesystem;
using crypto::tests::FailingMemory;
using crypto::tests::Fault;
using crypto::tests::FaultDisk;
using records::EveryNth;

// All that a salvage says was not to be had.
std::int64_t lost(const Salvaged& salvaged) {
    return std::accumulate(salvaged.tables.begin(), salvaged.tables.end(),
                           salvaged.pages_lost + salvaged.frames_damaged + salvaged.keys_damaged +
                               salvaged.rows_aside_of_nobody,
                           [](std::int64_t sum, const TableSalvaged& table) {
                               return sum + table.pages_lost + table.rows_lost + table.rows_aside;
                           });
}

class SalvageFaults : public testing::Test {
protected:
    // A damaged store of each cipher, and what is right for it.
    void prepare() {
        for (const int turn : {0, 1}) {
            fs::create_directory(box(turn));
            const FaultDisk quick{box(turn)};
            make_damaged_store(old(turn), records::cipher_of(static_cast<std::uint64_t>(turn)));
            source_[turn] = files_of(old(turn));
            const auto salvaged = salvage_it(old(turn), made(turn));
            ASSERT_TRUE(salvaged);
            lost_[turn] = lost(*salvaged);
            right_[turn] = saved_in(made(turn));
            ASSERT_EQ(wrong_with(made(turn), right_[turn]), "");
        }
    }
    void clear(int turn) const {
        for (const char* end : {"", ".unfinished"}) fs::remove_all(made(turn).string() + end);
        fs::remove_all(box(turn) / "again");
    }

    // What came of one of which the `nth` call failed. Nothing fails any more.
    void judge(const Result<Salvaged>& salvaged, int nth, bool once, bool may_be_damage) {
        const int turn = nth % 2;
        EXPECT_EQ(files_of(old(turn)), source_[turn]) << nth << ": the old files are others";
        if (!salvaged) {
            const auto& error = salvaged.error();
            EXPECT_TRUE(error.code == Errc::system || error.code == Errc::full || may_be_damage)
                << nth << ": " << base::name(error.code) << ", " << error.what.c_str();
        }
        const bool is_there = fs::exists(made(turn));
        EXPECT_TRUE(is_there || !salvaged) << nth;
        if (once) {
            EXPECT_TRUE(salvaged || !is_there) << nth << ": the next one needs its name";
        }
        const bool says_a_loss = salvaged && lost(*salvaged) > lost_[turn];
        if (is_there && !says_a_loss) {
            EXPECT_EQ(wrong_with(made(turn), right_[turn]), "") << nth;
        }
        if (is_there) ++saved_;
        if (says_a_loss) ++said_;
        const auto next = is_there ? box(turn) / "again" : made(turn);
        const auto again = salvage_it(old(turn), next);
        ASSERT_TRUE(again) << nth << ": the next one: " << again.error().what.c_str();
        EXPECT_EQ(wrong_with(next, right_[turn]), "") << nth << ": the next one";
    }
    void print(int calls, const char* what) const {
        std::printf("a salvage has %d %s; %d times it ended with a new store, which %d times said that more was lost\n",
                    calls, what, saved_, said_);
    }

    fs::path box(int turn) const { return place_ / (turn == 1 ? "aes" : "xchacha"); }
    fs::path old(int turn) const { return box(turn) / "old"; }
    fs::path made(int turn) const { return box(turn) / "new"; }

    fakes::TempFolder place_;
    std::vector<std::vector<std::byte>> source_[2];
    Saved right_[2];
    std::int64_t lost_[2] = {};
    int saved_ = 0, said_ = 0;
};

struct Trouble {
    const char* name;
    bool once;
    Fault fault;
    std::uint64_t most; // calls in a salvage, and more

    friend void PrintTo(const Trouble& trouble, std::ostream* out) { *out << trouble.name; }
};

class SalvageDiskFaults : public SalvageFaults, public testing::WithParamInterface<Trouble> {
protected:
    int salvage_with(int nth) {
        const Trouble& trouble = GetParam();
        const int turn = nth % 2;
        clear(turn);
        FaultDisk disk{box(turn)};
        disk.fail(nth, trouble.fault, trouble.once);
        const auto salvaged = salvage_it(old(turn), made(turn));
        const int calls = disk.calls();
        disk.fail(0, trouble.fault, true);
        judge(salvaged, nth, trouble.once, trouble.fault == Fault::cut_short);
        return calls;
    }
};

TEST_P(SalvageDiskFaults, EndInAnErrorOrAreSaidAndTheNextRunSavesAll) {
    prepare();
    const int calls = salvage_with(0);
    const EveryNth every{calls, GetParam().most};
    support::Campaign campaign{{.name = std::string{"salvage_disk_faults_"} + GetParam().name,
                                .what = "calls",
                                .plain = every.plain(15),
                                .most = GetParam().most}};
    while (const auto seed = campaign.next())
        if (const auto call = every.nth(*seed)) salvage_with(*call);
    print(calls, "such calls");
}

INSTANTIATE_TEST_SUITE_P(Each, SalvageDiskFaults,
                         testing::Values(Trouble{"io_once", true, Fault::io, 2'048},
                                         Trouble{"io_for_good", false, Fault::io, 2'048},
                                         Trouble{"full_once", true, Fault::full, 512},
                                         Trouble{"full_for_good", false, Fault::full, 512},
                                         Trouble{"cut_short_once", true, Fault::cut_short, 512},
                                         Trouble{"cut_short_for_good", false, Fault::cut_short, 512}),
                         [](const auto& one) { return std::string{one.param.name}; });

class SalvageMemoryFaults : public SalvageFaults, public testing::WithParamInterface<bool> {
protected:
    int salvage_with(int nth, FailingMemory& memory) {
        const int turn = nth % 2;
        clear(turn);
        const FaultDisk quick{box(turn)};
        memory.fail(nth, GetParam());
        const auto salvaged = salvage_it(old(turn), made(turn));
        const int calls = memory.calls();
        memory.fail(0, true);
        judge(salvaged, nth, GetParam(), false);
        return calls;
    }
};

TEST_P(SalvageMemoryFaults, EndInAnErrorAndTheNextRunSavesAll) {
    FailingMemory memory;
    prepare();
    const int calls = salvage_with(0, memory);
    constexpr std::uint64_t most = 131'072;
    const EveryNth every{calls, most};
    support::Campaign campaign{{.name = std::string{"salvage_memory_faults_"} + (GetParam() ? "once" : "for_good"),
                                .what = "allocations",
                                .plain = every.plain(20),
                                .most = most}};
    while (const auto seed = campaign.next())
        if (const auto allocation = every.nth(*seed)) salvage_with(*allocation, memory);
    print(calls, "allocations");
}

INSTANTIATE_TEST_SUITE_P(Each, SalvageMemoryFaults, testing::Bool(),
                         [](const auto& one) { return std::string{one.param ? "once" : "for_good"}; });

} // namespace
} // namespace clinic::salvage
