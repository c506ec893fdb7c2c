#include "crypto/sealed_vfs.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <string>

#include "crypto/base/ids.h"
#include "crypto/base/owned.h"
#include "crypto/block_file.h"
#include "crypto/file_system.h"
#include "crypto/first_page.h"
#include "crypto/store_context.h"
#include "crypto/store_file.h"
#include "crypto/vfs_shim.h"
#include "crypto/wal_check.h"

namespace clinic::crypto {

namespace fs = std::filesystem;

// In order of need: the shim uses the context, and the lock goes last. The key table holds the database open for as
// long as SQLite does: to close any handle of it drops SQLite's locks.
struct SealedVfs::State {
    base::UniqueFd lock;
    KeyTable keys;
    bool made;
    StoreContext context;
    std::unique_ptr<VfsShim> shim;
};

namespace {

constexpr unsigned file_mode = 0600;
constexpr std::uint64_t first_subkey_above_pages = 100;

fs::path beside(const fs::path& database, const char* suffix) {
    fs::path made = database;
    made += suffix;
    return made;
}

bool present(const fs::path& path) {
    std::error_code ignored;
    return fs::symlink_status(path, ignored).type() != fs::file_type::not_found;
}

// A lock of its own file: SQLite's locks stand on the database, and closing any handle of it would drop them.
Result<base::UniqueFd> take_lock(const fs::path& database) {
    base::UniqueFd file{
        ::open(beside(database, ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, file_mode)};
    if (!file) {
        const int why = errno;
        if (const auto ours = only_ours(beside(database, ".lock")); !ours) return ours.error();
        return Error{why == ENOENT ? Errc::not_found : Errc::system,
                     "the store's lock file cannot be opened",
                     "see that its folder is there and ours",
                     {},
                     why};
    }
    struct stat about {};
    if (fstat(file.get(), &about) != 0) return Error{Errc::system, "the store's lock file has no state", "", {}, errno};
    CLINIC_TRY(only_ours(about));
    if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
    if (errno == EWOULDBLOCK) return Error{Errc::refused, "another process has the store open"};
    return Error{Errc::system, "the store's lock file cannot be locked", "", {}, errno};
}

struct Unlocked {
    KeyTable keys;
    PageCipher cipher;
    bool fresh = false; // holds nothing yet
};

Result<Unlocked> make_store(const fs::path& database, const KeySlot& slot, CipherId id) {
    OpenedSuperblock made{.superblock = {.cipher = id}, .store_key = SecureBytes::random(key_bytes), .used = 1};
    auto& superblock = made.superblock;
    base::random_bytes(superblock.store);
    CLINIC_TRY(wrap_anew(superblock, made.store_key, slot, made.slot));
    CLINIC_TRY(write_store_file(database, superblock, made.store_key));
    auto file = BlockFile::open(database);
    CLINIC_TRY(file);
    PageCipher cipher{superblock.cipher, made.store_key, superblock.epoch, superblock.store};
    return Unlocked{KeyTable{std::move(*file), std::move(made)}, std::move(cipher), true};
}

Result<bool> holds_nothing(const BlockFile& file, std::uint64_t size, const PageCipher& cipher) {
    Page sealed{};
    Page plain{};
    if (size != main_head_bytes + page_bytes) return false;
    const auto whole = file.read(main_head_bytes, sealed);
    if (!whole) return whole.error();
    return cipher.open({Piece::page, 1}, sealed, std::span{plain}.first(page_plain_bytes)) &&
           plain == empty_first_page();
}

Result<Unlocked> open_store(const fs::path& database, const KeySlot& slot) {
    auto file = BlockFile::open(database);
    if (!file) return file.error();
    const auto size = file->size();
    if (!size) return size.error();
    if (*size == 0)
        return Error{Errc::conflict, "the store's file is empty",
                     "restore it from a backup; no new one is made in its place"};

    Bytes head(main_head_bytes);
    if (*size < head.size())
        return Error{Errc::tampered, "the store's file was cut off",
                     "restore it from a backup, or save the rest: clinicctl store salvage"};
    if (const auto read = file->read(0, head); !read) return read.error();
    auto opened = open_superblocks(head, slot);
    if (!opened) return opened.error();
    if (*size < main_head_bytes + page_bytes)
        return Error{Errc::tampered, "the store's file was cut off",
                     "restore it from a backup, or save the rest: clinicctl store salvage"};

    const auto& superblock = opened->superblock;
    PageCipher cipher{superblock.cipher, opened->store_key, superblock.epoch, superblock.store};
    const auto no_wal = check_wal(beside(database, "-wal"), cipher);
    if (!no_wal) return no_wal.error();
    const auto no_pages = holds_nothing(*file, *size, cipher);
    if (!no_pages) return no_pages.error();
    const bool fresh = *no_wal && *no_pages, to_be_mended = opened->other_damaged || opened->other_behind;
    KeyTable keys{std::move(*file), std::move(*opened)};
    if (to_be_mended) CLINIC_TRY(keys.mend()); // so that the next damage does not meet the last copy
    return Unlocked{std::move(keys), std::move(cipher), fresh};
}

Result<Unlocked> unlock(const fs::path& database, const KeySlot& slot, IfAbsent if_absent, std::optional<CipherId> id) {
    if (present(database)) return open_store(database, slot);
    if (present(beside(database, "-wal")) || present(database.parent_path() / "keys.db"))
        return Error{Errc::conflict, "a WAL or a keystore lies without its database",
                     "restore the database; no new one is made in its place"};
    if (if_absent == IfAbsent::fail) return Error{Errc::not_found, "there is no store"};
    return make_store(database, slot, id ? *id : fastest_cipher());
}

} // namespace

Result<std::unique_ptr<SealedVfs>> SealedVfs::open(const fs::path& database, const KeySlot& slot, IfAbsent if_absent,
                                                   std::optional<CipherId> id) {
    if (!start()) return Error{Errc::system, "libsodium does not start"};
    // A planted link would have SQLite write elsewhere, or another open the store under a second name.
    for (const char* suffix : {"", "-wal"}) CLINIC_TRY(only_ours(beside(database, suffix)));
    auto full = VfsShim::full_path(database.string()); // so that a store under two names has one lock
    if (!full) return full.error();
    CLINIC_TRY(may_hold_a_store(fs::path{*full}.parent_path()));
    auto lock = take_lock(*full);
    if (!lock) return lock.error();
    auto unlocked = unlock(*full, slot, if_absent, id);
    if (!unlocked) return unlocked.error();

    std::unique_ptr<State> state{new State{std::move(*lock), std::move(unlocked->keys), unlocked->fresh,
                                           StoreContext{std::move(unlocked->cipher)}, nullptr}};
    auto shim = VfsShim::install(state->context, std::move(*full), state->made);
    if (!shim) return shim.error();
    state->shim = std::move(*shim);
    return std::unique_ptr<SealedVfs>{new SealedVfs{std::move(state)}};
}

SealedVfs::SealedVfs(std::unique_ptr<State> state) : state_{std::move(state)} {}
SealedVfs::~SealedVfs() = default;

const char* SealedVfs::name() const {
    return state_->shim->name();
}
const StoreUuid& SealedVfs::store() const {
    return state_->context.cipher.store();
}
CipherId SealedVfs::cipher() const {
    return state_->context.cipher.id();
}
bool SealedVfs::made() const {
    return state_->made;
}
std::uint64_t SealedVfs::authentication_failures() const {
    return state_->context.failures;
}
std::uint64_t SealedVfs::recovery_failures() const {
    return state_->context.recovery_failures;
}

std::uint64_t SealedVfs::refused_reads() const {
    return state_->context.unread;
}

SecureBytes SealedVfs::subkey(std::uint64_t id) const {
    assert(id >= first_subkey_above_pages);
    return derive(state_->keys.store_key(), id, "clinicst");
}

KeyTable& SealedVfs::keys() {
    return state_->keys;
}

} // namespace clinic::crypto
