// The n-th call of the disk under a whole store fails, and the n-th allocation of SQLite, for every n: a clear error,
// no record and no key of what was acknowledged is lost, and all is well afterwards.
#include <algorithm>
#include <bit>
#include <cstdio>
#include <functional>
#include <optional>

#include "tests/crypto/failing_memory.h"
#include "tests/crypto/fault_disk.h"
#include "tests/crypto/store_files.h"
#include "tests/daemon/records/records_fixture.h"
#include "tests/daemon/records/store_jobs.h"
#include "tests/support/campaign.h"

namespace clinic::records {
namespace {

using crypto::tests::Bounds;
using crypto::tests::copy_folder;
using crypto::tests::FailingMemory;
using crypto::tests::Fault;
using crypto::tests::FaultDisk;

constexpr int days = 2;
constexpr int jobs_a_day = 6; // with a change, an erasure, and more keys than there are

// Two times: open, do the day's jobs, close. What fails is tried again, three times in all.
class TwoDays {
public:
    TwoDays(const std::filesystem::path& folder, bool may_be_damage) : jobs_{folder}, may_be_damage_{may_be_damage} {}

    void live() {
        for (int day = 0; day < days; ++day) {
            std::unique_ptr<Store> store;
            const bool opened = attempt([&]() -> Result<void> {
                auto made = jobs_.open();
                if (!made) return made.error();
                store = std::move(*made);
                return {};
            });
            if (!opened) continue;
            attempt([&] { return take_up(*store); });
            for (int i = 0; i < jobs_a_day; ++i) {
                tried_ = std::max(tried_, acknowledged_ + 1);
                if (attempt([&] { return StoreJobs::write(*store, acknowledged_ + 1); })) ++acknowledged_;
            }
        }
    }

    Bounds bounds() const { return {acknowledged_, std::max(tried_, acknowledged_)}; }
    bool all_went_well() const { return acknowledged_ == StoreJobs::nearly_dry + days * jobs_a_day; }
    const std::string& unclean() const { return unclean_; }

private:
    // A job that failed at its sync may be there all the same.
    Result<void> take_up(Store& store) {
        const auto found = StoreJobs::done(store);
        if (!found) return found.error();
        if (*found <= tried_) acknowledged_ = std::max(acknowledged_, *found);
        return {};
    }
    bool attempt(const std::function<Result<void>()>& step) {
        for (int i = 0; i < 3; ++i) {
            const auto done = step();
            if (done) return true;
            const auto code = done.error().code;
            if (code != Errc::system && code != Errc::full && !may_be_damage_ && unclean_.empty())
                unclean_ = std::string{base::name(code)} + ", " + done.error().what.c_str();
        }
        return false;
    }

    const StoreJobs jobs_;
    const bool may_be_damage_; // a file that ends too early is told as damage
    int acknowledged_ = StoreJobs::nearly_dry;
    int tried_ = StoreJobs::nearly_dry;
    std::string unclean_;
};

class StoreFaults : public testing::Test {
protected:
    // A store of each cipher.
    void prepare() {
        for (const int turn : {0, 1}) {
            const auto folder = start_of(turn);
            std::filesystem::create_directory(folder);
            const FaultDisk quick{folder};
            const StoreJobs jobs{folder, cipher_of(static_cast<std::uint64_t>(turn))};
            const auto store = jobs.open();
            ASSERT_TRUE(store);
            StoreJobs::write_group(**store, 1, StoreJobs::nearly_dry, [](int) {});
        }
    }
    std::filesystem::path fresh_box(int nth) const {
        const auto folder = place_ / "box";
        std::filesystem::remove_all(folder);
        copy_folder(start_of(nth % 2), folder);
        return folder;
    }
    static void judge(const TwoDays& two, bool once, const std::filesystem::path& folder, int nth) {
        EXPECT_EQ(two.unclean(), "") << nth;
        if (once) {
            EXPECT_TRUE(two.all_went_well()) << nth;
        }
        EXPECT_EQ(judge_store(folder, two.bounds()).wrong, "") << nth;
    }
    // Of the numbers up to `most`, so many that some `points` lie within a life of so many calls.
    static std::uint64_t plain(std::uint64_t points, int calls, std::uint64_t most) {
        return points * most / static_cast<std::uint64_t>(calls);
    }
    // Each n from 1 to `most` in its turn, far from each other at first. What a life calls differs by some from run to
    // run, as its threads meet; so the order is that of a number of its own, a power of two. Nothing: behind every
    // life.
    static std::optional<int> nth(std::uint64_t seed, int calls, std::uint64_t most) {
        EXPECT_TRUE(std::has_single_bit(most) && static_cast<std::uint64_t>(calls) <= most) << calls;
        const int n = 1 + static_cast<int>(seed * 7'919 % most);
        return n <= calls + calls / 8 ? std::optional{n} : std::nullopt;
    }

    std::filesystem::path start_of(int turn) const { return place_ / (turn == 1 ? "aes" : "xchacha"); }
    fakes::TempFolder place_;
};

struct Trouble {
    const char* name;
    bool once;
    Fault fault;
    std::uint64_t most; // calls in two days, and more

    friend void PrintTo(const Trouble& trouble, std::ostream* out) { *out << trouble.name; }
};

class StoreDiskFaults : public StoreFaults, public testing::WithParamInterface<Trouble> {
protected:
    int live_with(int nth) {
        const Trouble& trouble = GetParam();
        const auto folder = fresh_box(nth);
        FaultDisk disk{folder};
        disk.fail(nth, trouble.fault, trouble.once);
        TwoDays two{folder, trouble.fault == Fault::cut_short};
        two.live();
        const int calls = disk.calls();
        disk.fail(0, trouble.fault, true);
        judge(two, trouble.once, folder, nth);
        return calls;
    }
};

TEST_P(StoreDiskFaults, EndInAnErrorAndLoseNothing) {
    prepare();
    const int calls = live_with(0);
    support::Campaign campaign{{.name = std::string{"store_disk_faults_"} + GetParam().name,
                                .what = "calls",
                                .plain = plain(15, calls, GetParam().most),
                                .most = GetParam().most}};
    while (const auto seed = campaign.next())
        if (const auto call = nth(*seed, calls, GetParam().most)) live_with(*call);
    std::printf("the two days have %d such calls\n", calls);
}

INSTANTIATE_TEST_SUITE_P(Each, StoreDiskFaults,
                         testing::Values(Trouble{"io_once", true, Fault::io, 4'096},
                                         Trouble{"io_for_good", false, Fault::io, 4'096},
                                         Trouble{"full_once", true, Fault::full, 1'024},
                                         Trouble{"full_for_good", false, Fault::full, 1'024},
                                         Trouble{"cut_short_once", true, Fault::cut_short, 2'048},
                                         Trouble{"cut_short_for_good", false, Fault::cut_short, 2'048}),
                         [](const auto& one) { return std::string{one.param.name}; });

class StoreMemoryFaults : public StoreFaults, public testing::WithParamInterface<bool> {
protected:
    int live_with(int nth, FailingMemory& memory) {
        const auto folder = fresh_box(nth);
        const FaultDisk quick{folder};
        memory.fail(nth, GetParam());
        TwoDays two{folder, false};
        two.live();
        const int calls = memory.calls();
        memory.fail(0, true);
        judge(two, GetParam(), folder, nth);
        return calls;
    }
};

TEST_P(StoreMemoryFaults, EndInAnErrorAndLoseNothing) {
    FailingMemory memory;
    prepare();
    const int calls = live_with(0, memory);
    constexpr std::uint64_t most = 32'768;
    support::Campaign campaign{{.name = std::string{"store_memory_faults_"} + (GetParam() ? "once" : "for_good"),
                                .what = "allocations",
                                .plain = plain(20, calls, most),
                                .most = most}};
    while (const auto seed = campaign.next())
        if (const auto allocation = nth(*seed, calls, most)) live_with(*allocation, memory);
    std::printf("the two days have %d allocations\n", calls);
}

INSTANTIATE_TEST_SUITE_P(Each, StoreMemoryFaults, testing::Bool(),
                         [](const auto& one) { return std::string{one.param ? "once" : "for_good"}; });

} // namespace
} // namespace clinic::records
