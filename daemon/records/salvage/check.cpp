#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "daemon/records/connection.h"
#include "daemon/records/restoring.h"
#include "daemon/records/salvage/aside.h"
#include "daemon/records/salvage/chain.h"
#include "daemon/records/salvage/reading_vfs.h"
#include "daemon/records/salvage/salvage.h"
#include "daemon/records/store_check.h"

namespace clinic::salvage {
namespace {

// Where memory was out, nothing is said of the store.
bool is_memory(int code) {
    return (code & 0xff) == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM;
}

// SQLite's check of the whole, page by page as far as they open. Its words name tables, indexes, pages and rows.
Result<std::vector<std::string>> integrity(const crypto::StoreImage& image) {
    const auto vfs = ReadingVfs::install(image);
    CLINIC_TRY(vfs);
    sqlite3* raw = nullptr;
    int code = sqlite3_open_v2("store", &raw, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, (*vfs)->name());
    const records::Db db{raw};
    const auto no_memory = [raw] {
        return records::sqlite_error(raw, SQLITE_NOMEM, "there is no memory for the check");
    };
    if (is_memory(code)) return no_memory();
    if (code != SQLITE_OK) return std::vector<std::string>{"the database does not open"};
    sqlite3_stmt* statement = nullptr;
    sqlite3_exec(raw, "PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON", nullptr, nullptr, nullptr);
    code = sqlite3_prepare_v2(raw, "PRAGMA integrity_check", -1, &statement, nullptr);
    const records::OwnedStatement rows{statement};
    if (is_memory(code)) return no_memory();
    if (code != SQLITE_OK) return std::vector<std::string>{"the schema does not read"};
    std::vector<std::string> said;
    while ((code = sqlite3_step(rows.get())) == SQLITE_ROW) {
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(rows.get(), 0));
        if (text == nullptr || is_memory(records::page_not_got(text).value_or(SQLITE_OK))) return no_memory();
        if (std::string_view{text} != "ok") said.emplace_back(text);
    }
    if (is_memory(code)) return no_memory();
    if (code != SQLITE_DONE) said.emplace_back("the check ended before its time: a page does not open");
    return said;
}

} // namespace

Result<base::UniqueFd> hold(const std::filesystem::path& folder) {
    std::error_code none;
    const auto found = std::filesystem::status(folder, none);
    if (found.type() == std::filesystem::file_type::none)
        return Error{Errc::system, "the records' folder cannot be looked at", "", {}, none.value()};
    if (!std::filesystem::is_directory(found))
        return Error{Errc::not_found, "there is no such folder", "name the records' folder"};
    const auto path = std::filesystem::canonical(folder, none) / "records.db.lock";
    base::UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY)};
    if (!file && errno == ENOENT) {
        file.reset(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600));
        struct stat about {};
        if (file && stat(path.parent_path().c_str(), &about) == 0 &&
            fchown(file.get(), about.st_uid, about.st_gid) != 0)
            return Error{Errc::system, "the store's lock file cannot be given to its owner", "", {}, errno};
    }
    if (!file && (errno == EROFS || errno == EACCES)) return file; // nobody can lock it there
    if (!file) return Error{Errc::system, "the store's lock file cannot be opened", "", {}, errno};
    if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
    if (errno == EWOULDBLOCK)
        return Error{Errc::refused, "another process has the store open", "stop clinicd first: systemctl stop clinicd"};
    return Error{Errc::system, "the store's lock file cannot be locked", "", {}, errno};
}

// A header that is damaged alone is written anew by the next start.
bool Checked::keystore_opens() const {
    return keys.head_whole || std::ssize(keys.damaged) < keys.slots;
}

bool Checked::needs_salvage() const {
    return damaged_superblocks > 0 || !wal.damaged.empty() || wal.head_damaged || wal.foreign || !survey.first_page ||
           !survey.lost.empty() || !survey.stray.empty() || keystore_missing || !keystore_opens() ||
           !keys.damaged.empty() || !integrity.empty() ||
           std::ranges::any_of(missing_links, [](const audit::Gap& gap) { return gap.said_by == 0; });
}

Result<Checked> check(const std::filesystem::path& folder, const crypto::KeySlot& slot) {
    const auto held = hold(folder);
    CLINIC_TRY(held);
    CLINIC_TRY(records::none_is_put_back(folder));
    const auto image = crypto::StoreImage::open(folder / "records.db", slot);
    CLINIC_TRY(image);
    Checked checked{.store = image->superblock().store,
                    .damaged_superblocks = image->damaged_superblocks(),
                    .pages = image->pages(),
                    .wal = image->wal(),
                    .survey = survey(*image)};
    const auto keys = crypto::Keystore::examine(folder / "keys.db", image->subkey(wrapping_subkey),
                                                image->superblock().store, highest_key_slot(*image, checked.survey));
    checked.keystore_missing = !keys && keys.error().code == Errc::not_found;
    if (!keys && !checked.keystore_missing) return keys.error();
    if (keys) checked.keys = *keys;
    auto said = integrity(*image);
    CLINIC_TRY(said);
    checked.integrity = std::move(*said);
    checked.missing_links = missing_links(*image, checked.survey);
    const auto aside = read_aside(folder, image->subkey(aside_subkey), image->superblock().store);
    if (aside) checked.salvaged_rows_aside = aside->value("rows", std::int64_t{0});
    checked.salvage_record_damaged = !aside && aside.error().code != Errc::not_found;
    return checked;
}

} // namespace clinic::salvage
