#include "daemon/records/salvage/salvage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "crypto/base/files.h"
#include "crypto/base/log.h"
#include "crypto/sealed_vfs.h"
#include "crypto/store_file.h"
#include "daemon/records/restoring.h"
#include "daemon/records/salvage/copy.h"
#include "daemon/records/salvage/folders.h"
#include "daemon/records/salvage/mend.h"
#include "daemon/records/salvage/new_store.h"
#include "daemon/records/schema.h"

namespace clinic::salvage {
namespace {

namespace fs = std::filesystem;

constexpr int cache_kib = 16'384;

// What a salvage writes; a folder that holds anything else is not one of ours to empty.
constexpr std::array made_by_us{"records.db",     "records.db-wal",  "records.db.lock",     "keys.db",
                                "salvage.sealed", "records.db.new",  "keys.db.new",         "salvage.sealed.new",
                                "reserve",        "closed-in-order", "closed-in-order.new", made_of_name,
                                "made-of.new"};

Result<void> empty_left_over(const fs::path& folder) {
    std::error_code none;
    if (!fs::exists(fs::symlink_status(folder, none))) return {};
    for (const char* name : made_by_us) fs::remove(folder / name, none);
    if (rmdir(folder.c_str()) == 0) return {};
    return Error{Errc::refused, "what an interrupted salvage left cannot be taken away",
                 "look into the folder that ends in .unfinished, and remove it"};
}

Result<void> may_be_made(const fs::path& from, const fs::path& to) {
    std::error_code none;
    if (fs::exists(to, none) && !(fs::is_directory(to, none) && fs::is_empty(to, none)))
        return Error{Errc::refused, "the folder for the new store is there, and not empty", "name one that is not"};
    std::error_code failed[2];
    const auto old = fs::weakly_canonical(from, failed[0]), made = fs::weakly_canonical(to, failed[1]);
    for (const auto& why : failed)
        if (why) return Error{Errc::system, "where the folders lie cannot be looked at", "", {}, why.value()};
    if (std::mismatch(old.begin(), old.end(), made.begin(), made.end()).first == old.end())
        return Error{Errc::refused, "the new store would lie within the old one's folder", "name another folder"};
    return {};
}

// A name of its own, below a folder: "store/" is "/where/we/are/store".
fs::path named(const fs::path& given) {
    const fs::path whole = fs::absolute(given).lexically_normal();
    return whole.has_filename() ? whole : whole.parent_path();
}

int version_of(const Survey& found) {
    const bool ours = found.schema_version > 0 && found.schema_version <= records::schema_version_known;
    return ours ? found.schema_version : records::schema_version_known;
}

class Salvage {
public:
    Salvage(const crypto::StoreImage& image, const crypto::KeySlot& slot, fs::path folder)
        : image_{image}, slot_{slot}, folder_{std::move(folder)}, found_{survey(image)} {}

    Result<Salvaged> run(const fs::path& old_keys, const Clock& clock) {
        if (found_.schema_version > records::schema_version_known)
            return Error{Errc::newer, "the store was written by a later version",
                         "install that version or a newer one"};
        const auto wrapping = image_.subkey(wrapping_subkey);
        const auto& store = image_.superblock().store;
        const auto highest = highest_key_slot(image_, found_);
        auto keys = crypto::Keystore::examine(old_keys, wrapping, store, highest);
        if (!keys && keys.error().code == Errc::not_found)
            return Error{Errc::conflict, "the keystore is not there, and without it no patient's data opens",
                         "put keys.db back from its backup first"};
        CLINIC_TRY(keys);
        keys->slots = std::max(keys->slots, highest.value); // the copy has room for those that were cut off
        count(*keys);
        CLINIC_TRY(write_database(keys->slots));
        CLINIC_TRY(crypto::Keystore::copy(old_keys, folder_ / "keys.db", wrapping, store, highest));
        CLINIC_TRY(was_read_alike(*keys, crypto::Keystore::examine(folder_ / "keys.db", wrapping, store, highest)));
        if (!out_.complete()) CLINIC_TRY(aside_.write(folder_, image_.subkey(aside_subkey), store, found_.lost));
        const auto opened = records::Store::open({.folder = folder_}, slot_, clock);
        CLINIC_TRY(opened);
        CLINIC_TRY(finish(**opened, out_));
        return std::move(out_);
    }

private:
    // The old files are read more than once, and a page or a key that came and then did not would be missed by nobody.
    Result<void> was_read_alike(const crypto::KeystoreFindings& keys,
                                const Result<crypto::KeystoreFindings>& copied) const {
        CLINIC_TRY(copied);
        const auto is_known = [this](PageNo page) {
            return std::ranges::count(found_.lost, page, &LostPage::page) != 0;
        };
        if (std::ranges::all_of(image_.refused(), is_known) && copied->slots == keys.slots &&
            copied->damaged == keys.damaged)
            return {};
        return Error{Errc::system, "the disk of the old store gives a page once and then not",
                     "run it again; where it stays so, copy the folder to another disk and salvage the copy"};
    }

    void count(const crypto::KeystoreFindings& keys) {
        out_.store = image_.superblock().store;
        out_.damaged_superblocks = image_.damaged_superblocks();
        out_.pages_lost = static_cast<std::int64_t>(found_.lost.size());
        out_.pages_older = static_cast<std::int64_t>(image_.wal().older.size());
        out_.frames_damaged = static_cast<std::int64_t>(image_.wal().damaged.size()) +
                              (image_.wal().head_damaged ? 1 : 0) +
                              (image_.wal().foreign ? 1 : 0); // it lies where the store's own was
        out_.keys = keys.slots - static_cast<std::int64_t>(keys.damaged.size());
        out_.keys_damaged = static_cast<std::int64_t>(keys.damaged.size());
    }

    Result<void> write_database(std::int64_t key_slots) {
        crypto::Superblock superblock = image_.superblock();
        ++superblock.epoch;
        ++superblock.sequence;
        const fs::path database = folder_ / "records.db";
        CLINIC_TRY(crypto::wrap_anew(superblock, image_.store_key(), slot_, image_.slot()));
        CLINIC_TRY(crypto::write_store_file(database, superblock, image_.store_key()));
        const auto vfs = crypto::SealedVfs::open(database, slot_, crypto::IfAbsent::fail);
        CLINIC_TRY(vfs);
        const auto opened = records::Connection::open(database, (*vfs)->name(), records::Role::writer, cache_kib);
        CLINIC_TRY(opened);
        records::Connection& connection = **opened;
        CLINIC_TRY(records::migrate(connection, version_of(found_)));
        WithoutTriggers triggers{connection};
        CLINIC_TRY(triggers.drop());
        CLINIC_TRY(Copier(image_, found_, connection, aside_).run(out_));
        CLINIC_TRY(mend(connection, out_, key_slots));
        CLINIC_TRY(triggers.restore());
        CLINIC_TRY(check_new(connection));
        CLINIC_TRY(connection.checkpoint(SQLITE_CHECKPOINT_TRUNCATE));
        return {};
    }

    const crypto::StoreImage& image_;
    const crypto::KeySlot& slot_;
    const fs::path folder_;
    const Survey found_;
    Aside aside_;
    Salvaged out_;
};

} // namespace

// A page that belongs to no table is of an index, or free: nothing is lost with it.
bool Salvaged::complete() const {
    return frames_damaged == 0 && keys_damaged == 0 && rows_aside_of_nobody == 0 && lost_links.empty() &&
           std::ranges::all_of(tables, &TableSalvaged::whole);
}

Result<Salvaged> salvage(const fs::path& from, const fs::path& given, const crypto::KeySlot& slot, const Clock& clock) {
    const auto held = hold(from);
    CLINIC_TRY(held);
    CLINIC_TRY(records::none_is_put_back(from));
    const auto image = crypto::StoreImage::open(from / "records.db", slot);
    CLINIC_TRY(image);
    CLINIC_TRY(may_be_made(from, given));
    const fs::path to = named(given);
    fs::path unfinished = to;
    unfinished += ".unfinished";
    CLINIC_TRY(empty_left_over(unfinished));
    if (mkdir(unfinished.c_str(), 0700) != 0) return system_error("the folder for the new store cannot be made");
    auto salvaged = Salvage{*image, slot, unfinished}.run(from / "keys.db", clock);
    if (!salvaged) {
        if (const auto emptied = empty_left_over(unfinished); !emptied)
            base::log(base::Level::warning, "salvage", emptied.error());
        return salvaged.error();
    }
    CLINIC_TRY(base::write_durable(unfinished / made_of_name, base::as_bytes(look_of(from)), 0600));
    CLINIC_TRY(give_to_owner_of(from, unfinished));
    CLINIC_TRY(sync_folder(unfinished));
    if (std::rename(unfinished.c_str(), to.c_str()) != 0) return system_error("the new store cannot be put in place");
    if (const auto synced = sync_folder(to.parent_path()); !synced) {
        std::rename(to.c_str(), unfinished.c_str()); // for the next run to begin anew
        return synced.error();
    }
    return salvaged;
}

} // namespace clinic::salvage
