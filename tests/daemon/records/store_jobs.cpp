#include "tests/daemon/records/store_jobs.h"

#include <sqlite3.h>

#include <algorithm>
#include <future>
#include <map>

#include "crypto/base/owned.h"
#include "crypto/keystore.h"
#include "daemon/audit/trail.h"
#include "tests/daemon/records/records_fixture.h"

namespace clinic::records {
namespace {

using crypto::tests::Bounds;
using crypto::tests::Found;

constexpr std::uint64_t wrapping_id = 100; // the keystore's sub-key: a number for ever

enum class Does { come, change, erase };
Does what(int job) {
    return job % 6 == 5 ? Does::erase : job % 6 == 3 ? Does::change : Does::come;
}
int whom(int job) {
    return what(job) == Does::erase ? job - 4 : what(job) == Does::change ? job - 1 : job;
}

struct Known {
    std::string family;
    std::int64_t slot = 0;
    bool erased = false;
};

// By number, after so many jobs.
std::map<int, Known> people_after(int jobs) {
    std::map<int, Known> people;
    for (int job = 1; job <= jobs; ++job) {
        Known& one = people[whom(job)];
        if (what(job) == Does::come) one.slot = static_cast<std::int64_t>(people.size());
        one.family = "Family" + std::to_string(job);
        if (what(job) == Does::erase) one.erased = true;
    }
    return people;
}

std::string said_by(const Error& error) {
    return std::string{base::name(error.code)} + ", " + error.what.c_str();
}

Result<void> change(Transaction& txn, const Disclosure& why, int job) {
    const std::string mrn = std::to_string(whom(job)), family = "Family" + std::to_string(job);
    if (what(job) != Does::erase) {
        const auto out = upsert_patient(txn, why, person(mrn.c_str(), family.c_str()), {"APP|FAC", txn.now()}, false);
        if (!out) return out.error();
        return audit::Trail::add_subject(txn, why, out->id);
    }
    const Identifier numbers[] = {number(mrn.c_str())};
    const auto found = find_patient(txn, why, numbers);
    if (!found) return found.error();
    if (!*found) return Error{Errc::not_found, "the person to be erased is not there"};
    return erase_patient(txn, why, **found, nothing_else);
}

// What is wrong with one person's record, its key and its content.
std::string wrong_with(Snapshot& snapshot, int mrn, const Known& known) {
    const std::string who = "person " + std::to_string(mrn) + ": ";
    auto find = snapshot.prepare("SELECT row, id, sealed, status FROM patient WHERE key_slot = ?");
    if (!find) return who + said_by(find.error());
    const auto row = find->bind(known.slot).step();
    if (!row) return who + said_by(row.error());
    if (!*row) return who + "no row with the key slot " + std::to_string(known.slot);
    const PatientId id{find->uuid(1)};
    const bool erased = find->integer(3) == static_cast<int>(PatientStatus::erased);
    if (erased != known.erased) return who + (erased ? "is erased" : "is not erased");
    const auto numbered = find_by_index(snapshot, "number", "HOSP|" + std::to_string(mrn));
    if (!numbered) return who + said_by(numbered.error());
    if (numbered->size() != (erased ? 0U : 1U)) return who + "found by number " + std::to_string(numbered->size());
    const auto key = snapshot.patient_key(id);
    if (erased) return key ? who + "is erased and has a key" : "";
    if (!key) return who + "has no key: " + said_by(key.error());
    const auto content = snapshot.open_for(id, "patient.sealed", find->integer(0), find->blob(2));
    if (!content) return who + said_by(content.error());
    return content->find('"' + known.family + '"') == std::string::npos ? who + "says something else" : "";
}

std::string wrong_in(Snapshot& snapshot, int jobs) {
    const auto people = people_after(jobs);
    const auto count = patient_count(snapshot);
    if (!count) return said_by(count.error());
    const auto all = static_cast<std::int64_t>(people.size()); // the erased ones keep their row
    if (*count != all) return std::to_string(*count) + " people instead of " + std::to_string(all);
    for (const auto& [mrn, known] : people)
        if (auto wrong = wrong_with(snapshot, mrn, known); !wrong.empty()) return wrong;
    const auto chain = audit::Trail::verify(snapshot);
    if (!chain) return said_by(chain.error());
    return chain->entries < jobs ? "the audit chain is short" : "";
}

// Every page, and the indexes beside their tables.
std::string wrong_on_pages(const std::filesystem::path& folder) {
    const auto vfs = crypto::SealedVfs::open(folder / "records.db", slot_of('k'), crypto::IfAbsent::fail);
    if (!vfs) return said_by(vfs.error());
    sqlite3* raw = nullptr;
    int code = sqlite3_open_v2((folder / "records.db").c_str(), &raw, SQLITE_OPEN_READWRITE, (*vfs)->name());
    const std::unique_ptr<sqlite3, base::FreedBy<sqlite3_close>> db{raw};
    sqlite3_stmt* prepared = nullptr;
    if (code == SQLITE_OK) code = sqlite3_exec(raw, "PRAGMA temp_store=MEMORY", nullptr, nullptr, nullptr);
    if (code == SQLITE_OK) code = sqlite3_prepare_v2(raw, "PRAGMA integrity_check", -1, &prepared, nullptr);
    const std::unique_ptr<sqlite3_stmt, base::FreedBy<sqlite3_finalize>> statement{prepared};
    if (code == SQLITE_OK) code = sqlite3_step(prepared);
    if (code != SQLITE_ROW) return "integrity_check: code " + std::to_string(code);
    const std::string said{reinterpret_cast<const char*>(sqlite3_column_text(prepared, 0))};
    return said == "ok" ? "" : "integrity_check: " + said;
}

// `look` says what is wrong.
std::string wrong_in_store(Store& store, const std::function<std::string(Snapshot&)>& look) {
    std::string wrong;
    const auto read = store.read([&](Snapshot& snapshot) -> Result<void> {
        wrong = look(snapshot);
        return {};
    });
    return read ? wrong : said_by(read.error());
}

std::string wrong_with_all(Store& store, int jobs) {
    return wrong_in_store(store, [jobs](Snapshot& snapshot) { return wrong_in(snapshot, jobs); });
}

// The person whom the last job was about.
std::string wrong_with_one(Store& store, int jobs) {
    const auto people = people_after(jobs);
    return wrong_in_store(store,
                          [&](Snapshot& snapshot) { return wrong_with(snapshot, whom(jobs), people.at(whom(jobs))); });
}

} // namespace

StoreOptions StoreJobs::options_for(std::filesystem::path folder, std::optional<crypto::CipherId> cipher) {
    return {.folder = std::move(folder),
            .make = true,
            .cipher = cipher,
            .readers_max = 1,
            .cache = {64, 64},
            .wal_pages_max = 40};
}

Result<std::unique_ptr<Store>> StoreJobs::open() const& {
    return Store::open(options_, slot_of('k'), clock_);
}

Result<int> StoreJobs::done(Store& store) {
    int jobs = 0;
    CLINIC_TRY(store.read([&](Snapshot& snapshot) -> Result<void> {
        const auto done = setting(snapshot, "jobs_done");
        if (!done) return done.error();
        if (*done) jobs = std::stoi(**done);
        return {};
    }));
    return jobs;
}

Store::Job StoreJobs::does(int job) {
    return [job](Transaction& txn) -> Result<void> {
        const auto why =
            audit::Trail::append(txn, {audit::Actor::feed, 1, audit::Action::update, audit::Purpose::treatment});
        if (!why) return why.error();
        CLINIC_TRY(change(txn, *why, job));
        return set_setting(txn, "jobs_done", std::to_string(job));
    };
}

void StoreJobs::write_group(Store& store, int first, int last, const std::function<void(int)>& acknowledged) {
    std::promise<void> all_posted, all_done;
    const auto posted = all_posted.get_future().share();
    for (int job = first; job <= last; ++job) {
        const auto waits = [=](Transaction& txn) {
            if (job == first) posted.wait();
            return does(job)(txn);
        };
        const bool taken = store.post(waits, [&acknowledged, &all_done, job, last](const Result<void>& done) {
            EXPECT_TRUE(done) << "job " << job;
            if (done) acknowledged(job);
            if (job == last) all_done.set_value();
        });
        ASSERT_TRUE(taken);
    }
    all_posted.set_value();
    all_done.get_future().wait();
}

Found judge_store(const std::filesystem::path& folder, Bounds bounds) {
    int found = 0;
    {
        const StoreJobs jobs{folder};
        const auto store = jobs.open();
        if (!store) return {"it does not open: " + said_by(store.error())};
        const auto done = StoreJobs::done(**store);
        if (!done) return {said_by(done.error())};
        found = *done;
        if (found < bounds.at_least || found > bounds.at_most)
            return {std::to_string(found) + " jobs, where " + std::to_string(bounds.at_least) + " to " +
                    std::to_string(bounds.at_most) + " are right"};
        if (auto wrong = wrong_with_all(**store, found); !wrong.empty())
            return {"after " + std::to_string(found) + " jobs: " + wrong};
        if (const auto more = StoreJobs::write(**store, found + 1); !more)
            return {"it does not go on: " + said_by(more.error())};
        if (auto wrong = wrong_with_one(**store, found + 1); !wrong.empty()) return {"one job more: " + wrong};
    }
    return {wrong_on_pages(folder), found};
}

std::string erased_key_left(const std::filesystem::path& folder, int jobs) {
    const auto people = people_after(jobs);
    if (std::none_of(people.begin(), people.end(), [](const auto& one) { return one.second.erased; })) return "";
    const auto vfs = crypto::SealedVfs::open(folder / "records.db", slot_of('k'), crypto::IfAbsent::fail);
    if (!vfs) return said_by(vfs.error());
    const auto keys = crypto::Keystore::open(folder / "keys.db", (*vfs)->subkey(wrapping_id), (*vfs)->store(),
                                             crypto::IfAbsent::fail);
    if (!keys) return "keystore: " + said_by(keys.error());
    for (const auto& [mrn, known] : people)
        if (known.erased && (*keys)->key(crypto::SlotId{known.slot}))
            return "the key of person " + std::to_string(mrn) + ", who was erased, is back";
    return "";
}

} // namespace clinic::records
