#include "tests/daemon/records/damaged_store.h"

#include <fstream>

#include "crypto/store_layout.h"
#include "tests/crypto/store_files.h"
#include "tests/daemon/records/store_jobs.h"

namespace clinic::salvage {
namespace {

namespace fs = std::filesystem;
using records::slot_of;
using records::StoreJobs;

constexpr int jobs = 60;

// A leaf with the rows of some people, in its newest version in the database itself.
PageNo page_of_people(const fs::path& folder) {
    const auto image = crypto::StoreImage::open(folder / "records.db", slot_of('k'));
    EXPECT_TRUE(image);
    std::vector<PageNo> leaves;
    walk_tree(*image, survey(*image).find("patient")->root, {.page = [&](PageNo page) {
        if (kind_of(*image, page) == PageKind::table_leaf && !image->in_wal(page)) leaves.push_back(page);
    }});
    EXPECT_GT(leaves.size(), 0U);
    EXPECT_GT(image->wal().committed, 0U);
    return leaves.at(0);
}

// The row that holds the highest key has an id by chance.
bool holds_a_key(const std::string& patient) {
    return patient.ends_with(",0,0,X''");
}

} // namespace

void make_damaged_store(const fs::path& folder, crypto::CipherId cipher) {
    const fakes::TempFolder place;
    const StoreJobs made{place.path(), cipher};
    {
        const auto store = made.open();
        ASSERT_TRUE(store);
        StoreJobs::write_group(**store, 1, jobs - 2, [](int) {});
    }
    {
        const auto store = made.open();
        ASSERT_TRUE(store);
        for (const int job : {jobs - 1, jobs}) ASSERT_TRUE(StoreJobs::write(**store, job));
        crypto::tests::copy_folder(place.path(), folder); // with its WAL
    }
    const auto at = crypto::page_offset(page_of_people(folder)) + 100;
    std::fstream{folder / "records.db", std::ios::in | std::ios::out | std::ios::binary}
        .seekp(static_cast<std::streamoff>(at))
        .write("lost", 4);
}

Result<Salvaged> salvage_it(const fs::path& from, const fs::path& to) {
    const fakes::ManualClock clock;
    return salvage(from, to, slot_of('k'), clock);
}

std::vector<std::vector<std::byte>> files_of(const fs::path& folder) {
    std::vector<std::vector<std::byte>> all;
    for (const char* name : {"records.db", "records.db-wal", "keys.db"})
        all.push_back(crypto::tests::contents(folder / name));
    return all;
}

Saved saved_in(const fs::path& folder) {
    const auto checked = check(folder, slot_of('k'));
    if (!checked) return {};
    Saved found{.rows = records::dump(folder),
                .rows_aside = checked->salvaged_rows_aside,
                .keys = checked->keys.slots,
                .keys_erased = checked->keys.erased};
    std::erase_if(found.rows["patient"], holds_a_key);
    return found;
}

std::string wrong_with(const fs::path& folder, const Saved& right) {
    const auto checked = check(folder, slot_of('k'));
    if (!checked) return checked.error().what.c_str();
    if (checked->salvage_record_damaged) return "what was set aside does not open";
    if (!checked->sound()) return "the new store is not sound";
    {
        const StoreJobs store_jobs{folder};
        const auto store = store_jobs.open(); // which finishes what a salvage may leave to it
        if (!store) return store.error().what.c_str();
        const auto done = StoreJobs::done(**store);
        if (!done || *done != jobs) return "a job is missing";
    }
    const auto found = saved_in(folder);
    if (found.rows_aside != right.rows_aside)
        return std::to_string(found.rows_aside) + " rows set aside, not " + std::to_string(right.rows_aside);
    if (found.keys != right.keys || found.keys_erased != right.keys_erased) return "the keys are others";
    for (const auto& [table, rows] : right.rows)
        if (!found.rows.contains(table) || found.rows.at(table) != rows) return "the rows of " + table + " are others";
    return "";
}

} // namespace clinic::salvage
