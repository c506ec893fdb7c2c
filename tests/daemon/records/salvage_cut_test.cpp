// Power cuts under a salvage: the new store is there whole or not at all, whatever is left of a cut one is no hindrance
// to the next, and the old files are as they were. The disk is that of both folders, and of the one they lie in.
#include <algorithm>
#include <cstdio>
#include <random>

#include "tests/crypto/cut_campaign.h"
#include "tests/daemon/records/damaged_store.h"
#include "tests/daemon/records/store_jobs.h"

namespace clinic::salvage {
namespace {

namespace fs = std::filesystem;
using crypto::tests::Bounds;
using crypto::tests::CutWorkload;
using crypto::tests::DiskEvent;
using crypto::tests::FaultDisk;
using crypto::tests::Found;
using crypto::tests::Pretended;

constexpr const char* name_unsynced = "name that is not synced";

// From "old" to "new". There is one commit: the name of the new folder.
class SalvageOnce final : public CutWorkload {
public:
    explicit SalvageOnce(crypto::CipherId cipher) : cipher_{cipher} {}

    void prepare(const fs::path& folder) override {
        make_damaged_store(folder / "old", cipher_);
        source_ = files_of(folder / "old");
        ASSERT_TRUE(salvage_it(folder / "old", place_ / "new"));
        right_ = saved_in(place_ / "new");
        ASSERT_GT(right_.rows_aside, 0);
        ASSERT_EQ(wrong_with(place_ / "new", right_), "");
    }

    void run(const fs::path& folder, const FaultDisk& disk) override {
        ASSERT_TRUE(salvage_it(folder / "old", folder / "new"));
        returned_ = disk.events();
        const auto& log = disk.log();
        named_ = static_cast<std::size_t>(std::ranges::find(log, "new", &DiskEvent::name) - log.begin()) + 1;
    }

    Bounds bounds(std::size_t events) const override { return {events >= returned_ ? 1 : 0, 1}; }

    std::string amid(std::size_t events) const override {
        if (events < named_) return {};
        return events < returned_ ? name_unsynced : "new store";
    }

    Found judge(const fs::path& folder, Bounds bounds) override {
        const bool is_there = fs::exists(folder / "new");
        if (!is_there && bounds.at_least > 0) return {"the new store is gone"};
        if (!is_there)
            if (const auto again = salvage_it(folder / "old", folder / "new"); !again)
                return {std::string{"the next salvage: "} + again.error().what.c_str()};
        if (files_of(folder / "old") != source_) return {"the old files are others"};
        return {wrong_with(folder / "new", right_), is_there ? 1 : 0};
    }

private:
    const crypto::CipherId cipher_;
    const fakes::TempFolder place_;
    std::vector<std::vector<std::byte>> source_;
    Saved right_;
    std::size_t named_ = 0, returned_ = 0; // the disk's events then
};

TEST(SalvageCut, LeavesAWholeStoreOrNoneAndTheNextRunGoesThrough) {
    auto cut = crypto::tests::cut_rounds(
        {.name = "power_cuts_salvage_folders", .what = "cuts", .plain = 3, .most = 1'000, .weight = 20},
        [](std::uint64_t seed) { return SalvageOnce{records::cipher_of(seed)}; });
    if (!cut.all_plain) return;
    for (const char* what : {"new store", name_unsynced, "wal", "checkpoint"}) EXPECT_GT(cut.amid[what], 0) << what;
}

// Each of these syncs is needed: where it is only pretended, something is lost under the new name.
struct Weak {
    const char* name;
    Pretended pretended;

    friend void PrintTo(const Weak& weak, std::ostream* out) { *out << weak.name; }
};

class WeakSalvageDisk : public testing::TestWithParam<Weak> {};

// Cut when the salvage has returned: all of it is said to be on the disk.
TEST_P(WeakSalvageDisk, IsFoundOut) {
    SalvageOnce workload{crypto::CipherId::aes256_gcm};
    const fakes::TempFolder place;
    fs::create_directory(place / "start");
    {
        const FaultDisk quick{place / "start"};
        workload.prepare(place / "start");
    }
    FaultDisk disk{place / "start"};
    workload.run(place / "start", disk);
    disk.stop();
    std::mt19937 random{1}; // NOLINT: the same cuts each run
    int wrong = 0;
    for (int i = 0; i < 30; ++i) {
        crypto::tests::power_cut(disk, disk.events(), random, place / "cut", GetParam().pretended);
        const FaultDisk quick{place / "cut"};
        wrong += workload.judge(place / "cut", workload.bounds(disk.events())).wrong.empty() ? 0 : 1;
    }
    std::printf("%d of 30 cuts were seen\n", wrong);
    EXPECT_GT(wrong, 0);
}

// Of a file under its name and the one that it is written under first.
Pretended syncs_of(const char* name) {
    return [name](const DiskEvent& sync) { return sync.name == name || sync.name == std::string{name} + ".new"; };
}

INSTANTIATE_TEST_SUITE_P(Each, WeakSalvageDisk,
                         testing::Values(Weak{"database", syncs_of("records.db")}, Weak{"keys", syncs_of("keys.db")},
                                         Weak{"set_aside", syncs_of("salvage.sealed")},
                                         Weak{"new_folder", syncs_of("new.unfinished")},
                                         Weak{"folder_of_the_new_name",
                                              [](const DiskEvent& sync) {
                                                  return sync.kind == DiskEvent::Kind::sync_folder &&
                                                         sync.file == crypto::tests::root_folder;
                                              }}),
                         [](const auto& one) { return std::string{one.param.name}; });

} // namespace
} // namespace clinic::salvage
