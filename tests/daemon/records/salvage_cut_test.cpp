// Power cuts under a salvage: the new store is there whole or not at all, and whatever is left of a cut one is no
// hindrance to the next.
#include <algorithm>
#include <fstream>
#include <random>

#include "crypto/store_layout.h"
#include "daemon/records/salvage/salvage.h"
#include "tests/crypto/power_cut.h"
#include "tests/daemon/records/records_fixture.h"
#include "tests/daemon/records/store_jobs.h"
#include "tests/support/campaign.h"

namespace clinic::salvage {
namespace {

namespace fs = std::filesystem;
using crypto::tests::DiskEvent;
using crypto::tests::FaultDisk;
using crypto::tests::Pretended;
using records::StoreJobs;

constexpr int jobs = 60;
constexpr std::size_t made_up_to = SIZE_MAX; // the moment at which the new folder got its name

class SalvageCut : public testing::Test {
protected:
    // A store of which a page of people is lost.
    void make_old(crypto::CipherId cipher) {
        fs::remove_all(old());
        fs::create_directory(old());
        const FaultDisk quick{old()};
        {
            const StoreJobs made{old(), cipher};
            const auto store = made.open();
            ASSERT_TRUE(store);
            StoreJobs::write_group(**store, 1, jobs, [](int) {});
        }
        const auto image = crypto::StoreImage::open(old() / "records.db", records::slot_of('k'));
        ASSERT_TRUE(image);
        const auto at = crypto::page_offset(survey(*image).find("raw_message")->root) + 100;
        std::fstream{old() / "records.db", std::ios::in | std::ios::out | std::ios::binary}
            .seekp(static_cast<std::streamoff>(at))
            .write("lost", 4);
    }

    Result<Salvaged> run(const fs::path& to) { return salvage(old(), to, records::slot_of('k'), clock_); }

    // What is wrong when the power goes after so many events of the new folder's disk.
    std::string wrong_after(const FaultDisk& disk, std::size_t events, std::mt19937& random,
                            const Pretended& pretended = {}) {
        const bool has_name = events == made_up_to;
        const auto to = place_ / "after";
        for (const char* end : {"", ".unfinished"}) fs::remove_all(to.string() + end);
        const fs::path left = to.string() + (has_name ? "" : ".unfinished");
        crypto::tests::power_cut(disk, std::min(events, disk.events()), random, left, pretended);
        const FaultDisk quick{left};
        if (!has_name) {
            const auto again = run(to);
            if (!again) return again.error().what.c_str();
        }
        const auto checked = check(to, records::slot_of('k'));
        if (!checked) return checked.error().what.c_str();
        if (!checked->sound()) return "the new store is not sound";
        const StoreJobs made{to};
        const auto store = made.open();
        if (!store) return store.error().what.c_str();
        const auto done = StoreJobs::done(**store);
        return done && *done == jobs ? "" : "a job is missing";
    }

    // Salvages once, and cuts it: at the moment of its name, and before.
    int wrong_of(std::uint64_t seed, int named, int before, const Pretended& pretended = {}) {
        make_old(records::cipher_of(seed));
        std::mt19937 random{static_cast<std::mt19937::result_type>(seed)};
        const auto to = place_ / "new";
        fs::remove_all(to);
        fs::create_directory(to.string() + ".unfinished");
        FaultDisk disk{to.string() + ".unfinished"};
        const auto salvaged = run(to);
        disk.stop();
        EXPECT_TRUE(salvaged) << salvaged.error().what.c_str();
        EXPECT_GT(disk.events(), 50U);
        int wrong = 0;
        for (int i = 0; i < named + before; ++i) {
            const auto events = i < named ? made_up_to : random() % disk.events();
            const auto said = wrong_after(disk, events, random, pretended);
            if (said.empty()) continue;
            ++wrong;
            if (!pretended) ADD_FAILURE() << "seed " << seed << ", event " << events << ": " << said;
        }
        return wrong;
    }

    fs::path old() const { return place_ / "old"; }
    fakes::TempFolder place_;
    fakes::ManualClock clock_;
};

TEST_F(SalvageCut, LeavesAWholeStoreOrNoneAndTheNextRunGoesThrough) {
    constexpr int named = 5, before = 5;
    support::Campaign campaign{
        {.name = "power_cuts_salvage", .what = "cuts", .plain = 2, .most = 1'000, .weight = named + before}};
    while (const auto seed = campaign.next()) wrong_of(*seed, named, before);
}

TEST_F(SalvageCut, ADiskThatOnlyPretendsToSyncIsFoundOut) {
    EXPECT_GT(wrong_of(1, 20, 0, [](const DiskEvent& sync) { return sync.name == "records.db"; }), 0);
}

} // namespace
} // namespace clinic::salvage
