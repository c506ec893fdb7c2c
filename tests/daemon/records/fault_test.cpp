// The n-th call of the disk under a whole store fails, and the n-th allocation of SQLite, for every n: a clear error,
// no record and no key of what was acknowledged is lost, and all is well afterwards.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <functional>

#include "crypto/store_image.h"
#include "daemon/records/salvage/survey.h"
#include "daemon/records/schema.h"
#include "tests/crypto/failing_memory.h"
#include "tests/crypto/fault_disk.h"
#include "tests/crypto/store_files.h"
#include "tests/daemon/records/every_nth.h"
#include "tests/daemon/records/raw_database.h"
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

// What fails is tried again, three times in all.
class Attempts {
public:
    explicit Attempts(bool may_be_damage) : may_be_damage_{may_be_damage} {}

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
    const std::string& unclean() const { return unclean_; }

private:
    const bool may_be_damage_; // a file that ends too early is told as damage
    std::string unclean_;
};

// Two times: open, do the day's jobs, close.
class TwoDays : public Attempts {
public:
    TwoDays(const std::filesystem::path& folder, bool may_be_damage) : Attempts{may_be_damage}, jobs_{folder} {}

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

private:
    // A job that failed at its sync may be there all the same.
    Result<void> take_up(Store& store) {
        const auto found = StoreJobs::done(store);
        if (!found) return found.error();
        if (*found <= tried_) acknowledged_ = std::max(acknowledged_, *found);
        return {};
    }

    const StoreJobs jobs_;
    int acknowledged_ = StoreJobs::nearly_dry;
    int tried_ = StoreJobs::nearly_dry;
};

class StoreFaults : public testing::Test {
protected:
    // A store of each cipher.
    void prepare(int jobs_done = StoreJobs::nearly_dry) {
        for (const int turn : {0, 1}) {
            const auto folder = start_of(turn);
            std::filesystem::create_directory(folder);
            const FaultDisk quick{folder};
            const StoreJobs jobs{folder, cipher_of(static_cast<std::uint64_t>(turn))};
            const auto store = jobs.open();
            ASSERT_TRUE(store);
            StoreJobs::write_group(**store, 1, jobs_done, [](int) {});
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
    const EveryNth every{calls, GetParam().most};
    support::Campaign campaign{{.name = std::string{"store_disk_faults_"} + GetParam().name,
                                .what = "calls",
                                .plain = every.plain(15),
                                .most = GetParam().most}};
    while (const auto seed = campaign.next())
        if (const auto call = every.nth(*seed)) live_with(*call);
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

// What an opening has to do before anything else.
enum class Duty {
    migrations, // all of them, with people there
    superblock, // writes the damaged one anew
};

struct OpeningTrouble {
    Duty duty;
    Trouble trouble;

    friend void PrintTo(const OpeningTrouble& opening, std::ostream* out) { *out << opening.trouble.name; }
};

class StoreOpeningFaults : public StoreFaults, public testing::WithParamInterface<OpeningTrouble> {
protected:
    static constexpr int jobs_done = 12;

    void prepare_duty() {
        prepare(jobs_done);
        for (const int turn : {0, 1}) {
            const auto folder = start_of(turn);
            const FaultDisk quick{folder};
            if (GetParam().duty == Duty::migrations)
                RawDatabase{folder, slot_of('k')}.run(back_to_first_version);
            else
                std::fstream{folder / "records.db", std::ios::binary | std::ios::in | std::ios::out}
                    .seekp(4'096 + 100)
                    .write("damaged", 7);
        }
    }
    int open_with(int nth) {
        const Trouble& trouble = GetParam().trouble;
        const auto folder = fresh_box(nth);
        FaultDisk disk{folder};
        disk.fail(nth, trouble.fault, trouble.once);
        Attempts attempts{trouble.fault == Fault::cut_short};
        const bool opened = attempts.attempt([&]() -> Result<void> {
            const StoreJobs store_jobs{folder};
            const auto store = store_jobs.open();
            return store ? Result<void>{} : store.error();
        });
        const int calls = disk.calls();
        disk.fail(0, trouble.fault, true);
        EXPECT_EQ(attempts.unclean(), "") << nth;
        EXPECT_TRUE(opened || !trouble.once) << nth;
        EXPECT_EQ(judge_store(folder, {jobs_done, jobs_done}).wrong, "") << nth;
        expect_done(folder, nth);
        return calls;
    }

private:
    static void expect_done(const std::filesystem::path& folder, int nth) {
        const auto image = crypto::StoreImage::open(folder / "records.db", slot_of('k'));
        ASSERT_TRUE(image) << nth;
        EXPECT_EQ(image->damaged_superblocks(), 0) << nth;
        EXPECT_EQ(salvage::survey(*image).schema_version, schema_version_known) << nth;
    }
};

TEST_P(StoreOpeningFaults, EndInAnErrorAndTheNextOpeningDoesIt) {
    prepare_duty();
    const int calls = open_with(0);
    const Trouble& trouble = GetParam().trouble;
    const EveryNth every{calls, trouble.most};
    support::Campaign campaign{{.name = std::string{"store_opening_faults_"} + trouble.name,
                                .what = "calls",
                                .plain = every.plain(15),
                                .most = trouble.most}};
    while (const auto seed = campaign.next())
        if (const auto call = every.nth(*seed)) open_with(*call);
    std::printf("the opening has %d such calls\n", calls);
}

INSTANTIATE_TEST_SUITE_P(
    Each, StoreOpeningFaults,
    testing::Values(OpeningTrouble{Duty::migrations, {"migrations_io_once", true, Fault::io, 1'024}},
                    OpeningTrouble{Duty::migrations, {"migrations_io_for_good", false, Fault::io, 1'024}},
                    OpeningTrouble{Duty::migrations, {"migrations_full_once", true, Fault::full, 512}},
                    OpeningTrouble{Duty::migrations, {"migrations_full_for_good", false, Fault::full, 512}},
                    OpeningTrouble{Duty::migrations, {"migrations_cut_short_once", true, Fault::cut_short, 512}},
                    OpeningTrouble{Duty::migrations, {"migrations_cut_short_for_good", false, Fault::cut_short, 512}},
                    OpeningTrouble{Duty::superblock, {"superblock_io_once", true, Fault::io, 512}},
                    OpeningTrouble{Duty::superblock, {"superblock_io_for_good", false, Fault::io, 512}},
                    OpeningTrouble{Duty::superblock, {"superblock_full_once", true, Fault::full, 16}},
                    OpeningTrouble{Duty::superblock, {"superblock_full_for_good", false, Fault::full, 16}},
                    OpeningTrouble{Duty::superblock, {"superblock_cut_short_once", true, Fault::cut_short, 256}},
                    OpeningTrouble{Duty::superblock, {"superblock_cut_short_for_good", false, Fault::cut_short, 256}}),
    [](const auto& one) { return std::string{one.param.trouble.name}; });

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
    const EveryNth every{calls, most};
    support::Campaign campaign{{.name = std::string{"store_memory_faults_"} + (GetParam() ? "once" : "for_good"),
                                .what = "allocations",
                                .plain = every.plain(20),
                                .most = most}};
    while (const auto seed = campaign.next())
        if (const auto allocation = every.nth(*seed)) live_with(*allocation, memory);
    std::printf("the two days have %d allocations\n", calls);
}

INSTANTIATE_TEST_SUITE_P(Each, StoreMemoryFaults, testing::Bool(),
                         [](const auto& one) { return std::string{one.param ? "once" : "for_good"}; });

} // namespace
} // namespace clinic::records
