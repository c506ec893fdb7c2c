#include "crypto/vfs_shim.h"

#include <sqlite3.h>

#include <array>
#include <cassert>
#include <exception>
#include <new>
#include <string_view>

#include "crypto/base/log.h"
#include "crypto/main_file.h"
#include "crypto/wal_file.h"

namespace clinic::crypto {
namespace {

constexpr const char* base_name = "unix-excl";

// What SQLite holds in memory of its own.
struct OpenFile {
    sqlite3_file head; // first: it is all that SQLite knows of this
    VfsShim* shim;
    std::unique_ptr<StoredFile> stored;
};

OpenFile& self(sqlite3_file* file) {
    return *reinterpret_cast<OpenFile*>(file);
}
sqlite3_file* inner(sqlite3_file* file) {
    return self(file).stored->raw().get();
}
VfsShim& shim(sqlite3_vfs* vfs) {
    return *static_cast<VfsShim*>(vfs->pAppData);
}
sqlite3_vfs* base(sqlite3_vfs* vfs) {
    return &shim(vfs).base();
}

// SQLite's frames stand between us and whoever could catch: memory that ends must be a code of SQLite's.
template <class Call>
int guarded(const Call& call) {
    try {
        return call();
    } catch (const std::exception&) {
        return SQLITE_IOERR_NOMEM;
    }
}

int file_close(sqlite3_file* file) {
    OpenFile& open = self(file);
    const int rc = open.stored->raw().close();
    open.shim->closed();
    std::destroy_at(&open);
    return rc;
}

int file_read(sqlite3_file* file, void* out, int size, sqlite3_int64 at) {
    if (size < 0 || at < 0) return SQLITE_IOERR_READ;
    return guarded([&] {
        const int rc = self(file).stored->read({static_cast<std::byte*>(out), static_cast<std::size_t>(size)},
                                               static_cast<std::uint64_t>(at));
        if (rc == SQLITE_IOERR_READ) self(file).shim->note_unread();
        return rc;
    });
}

int file_write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
    if (size < 0 || at < 0) return SQLITE_IOERR_WRITE;
    return guarded([&] {
        const int rc = self(file).stored->write({static_cast<const std::byte*>(from), static_cast<std::size_t>(size)},
                                                static_cast<std::uint64_t>(at));
        if (rc == SQLITE_IOERR_WRITE)
            base::log(base::Level::error, "store", "a write was refused", {{"bytes", size}, {"offset", at}});
        return rc;
    });
}

int file_truncate(sqlite3_file* file, sqlite3_int64 size) {
    if (size < 0) return SQLITE_IOERR_TRUNCATE;
    return guarded([&] { return self(file).stored->truncate(static_cast<std::uint64_t>(size)); });
}

int file_sync(sqlite3_file* file, int flags) {
    return guarded([&] { return self(file).stored->sync(flags); });
}

int file_size(sqlite3_file* file, sqlite3_int64* out) {
    return guarded([&] {
        std::uint64_t found = 0;
        const int rc = self(file).stored->size(found);
        *out = static_cast<sqlite3_int64>(found);
        return rc;
    });
}

int file_lock(sqlite3_file* file, int level) {
    return inner(file)->pMethods->xLock(inner(file), level);
}
int file_unlock(sqlite3_file* file, int level) {
    return inner(file)->pMethods->xUnlock(inner(file), level);
}
int file_check_reserved(sqlite3_file* file, int* out) {
    return inner(file)->pMethods->xCheckReservedLock(inner(file), out);
}

int file_control(sqlite3_file* file, int op, void* argument) {
    switch (op) {
    case SQLITE_FCNTL_PRAGMA: return self(file).shim->pragma(static_cast<char**>(argument));
    // Sizes on the disk are not SQLite's, and mapped memory would go round the reads.
    case SQLITE_FCNTL_MMAP_SIZE: *static_cast<sqlite3_int64*>(argument) = 0; return SQLITE_OK;
    case SQLITE_FCNTL_SIZE_HINT:
    case SQLITE_FCNTL_CHUNK_SIZE:
    case SQLITE_FCNTL_POWERSAFE_OVERWRITE: return SQLITE_OK;
    case SQLITE_FCNTL_LOCKSTATE:
    case SQLITE_FCNTL_LAST_ERRNO:
    case SQLITE_FCNTL_PERSIST_WAL:
    case SQLITE_FCNTL_HAS_MOVED:
    case SQLITE_FCNTL_VFSNAME: return inner(file)->pMethods->xFileControl(inner(file), op, argument);
    default: return SQLITE_NOTFOUND;
    }
}

int file_sector_size(sqlite3_file*) {
    return static_cast<int>(page_bytes);
}
// Nothing but this: it keeps SQLite from writing a WAL page in two parts.
int file_device(sqlite3_file*) {
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
    return inner(file)->pMethods->xShmMap(inner(file), region, size, extend, out);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
    return inner(file)->pMethods->xShmLock(inner(file), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) {
    inner(file)->pMethods->xShmBarrier(inner(file));
}
int shm_unmap(sqlite3_file* file, int remove) {
    return inner(file)->pMethods->xShmUnmap(inner(file), remove);
}

// Version 2: no xFetch, so no memory map.
constexpr sqlite3_io_methods methods{
    2,         file_close,  file_read,           file_write,   file_truncate,    file_sync,   file_size,
    file_lock, file_unlock, file_check_reserved, file_control, file_sector_size, file_device, shm_map,
    shm_lock,  shm_barrier, shm_unmap,           nullptr,      nullptr};

int vfs_open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* flags_out) {
    file->pMethods = nullptr; // SQLite closes what has methods
    std::unique_ptr<StoredFile> stored;
    try {
        const int rc = shim(vfs).open(path, flags, stored, flags_out);
        if (rc != SQLITE_OK) return rc;
    } catch (const std::exception&) {
        return SQLITE_NOMEM;
    }
    new (file) OpenFile{sqlite3_file{&methods}, &shim(vfs), std::move(stored)};
    return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs* vfs, const char* path, int sync_folder) {
    return shim(vfs).remove(path, sync_folder != 0);
}
int vfs_access(sqlite3_vfs* vfs, const char* path, int flags, int* out) {
    return shim(vfs).access(path, flags, *out);
}
int vfs_full_path(sqlite3_vfs* vfs, const char* path, int size, char* out) {
    return base(vfs)->xFullPathname(base(vfs), path, size, out);
}

// No extension is loaded through this VFS.
void* dl_open(sqlite3_vfs*, const char*) {
    return nullptr;
}
void dl_error(sqlite3_vfs*, int size, char* out) {
    sqlite3_snprintf(size, out, "extensions are not loaded");
}
using Symbol = void (*)();
Symbol dl_symbol(sqlite3_vfs*, void*, const char*) {
    return nullptr;
}
void dl_close(sqlite3_vfs*, void*) {}

int vfs_randomness(sqlite3_vfs* vfs, int size, char* out) {
    return base(vfs)->xRandomness(base(vfs), size, out);
}
int vfs_sleep(sqlite3_vfs* vfs, int micros) {
    return base(vfs)->xSleep(base(vfs), micros);
}
int vfs_time(sqlite3_vfs* vfs, double* out) {
    return base(vfs)->xCurrentTime(base(vfs), out);
}
int vfs_last_error(sqlite3_vfs* vfs, int size, char* out) {
    return base(vfs)->xGetLastError(base(vfs), size, out);
}
int vfs_time64(sqlite3_vfs* vfs, sqlite3_int64* out) {
    return base(vfs)->xCurrentTimeInt64(base(vfs), out);
}

std::unique_ptr<sqlite3_vfs> make_vfs(const sqlite3_vfs& base, const char* name, VfsShim* owner) {
    auto made = std::make_unique<sqlite3_vfs>();
    made->iVersion = 2;
    made->szOsFile = static_cast<int>(sizeof(OpenFile));
    made->mxPathname = base.mxPathname;
    made->zName = name;
    made->pAppData = owner;
    made->xOpen = vfs_open;
    made->xDelete = vfs_delete;
    made->xAccess = vfs_access;
    made->xFullPathname = vfs_full_path;
    made->xDlOpen = dl_open;
    made->xDlError = dl_error;
    made->xDlSym = [](sqlite3_vfs* vfs, void* library, const char* symbol) { return dl_symbol(vfs, library, symbol); };
    made->xDlClose = dl_close;
    made->xRandomness = vfs_randomness;
    made->xSleep = vfs_sleep;
    made->xCurrentTime = vfs_time;
    made->xGetLastError = vfs_last_error;
    made->xCurrentTimeInt64 = vfs_time64;
    return made;
}

std::string next_name() {
    static std::atomic<unsigned> made{0};
    return "clinic-sealed-" + std::to_string(made.fetch_add(1));
}

int refuse_pragma(char** arguments, const char* why) {
    arguments[0] = sqlite3_mprintf("%s", why);
    return SQLITE_ERROR;
}

bool same_word(const char* given, const char* word) {
    return sqlite3_stricmp(given, word) == 0;
}

} // namespace

Result<std::string> VfsShim::full_path(const std::string& path) {
    sqlite3_vfs* base = sqlite3_vfs_find(base_name);
    if (base == nullptr) return Error{Errc::system, "SQLite lacks the unix-excl file system"};
    std::string out(static_cast<std::size_t>(base->mxPathname) + 1, '\0');
    const int rc = base->xFullPathname(base, path.c_str(), static_cast<int>(out.size()), out.data());
    if (rc != SQLITE_OK && rc != SQLITE_OK_SYMLINK)
        return Error{Errc::system, "the store's path cannot be followed", "", {}, rc};
    out.resize(std::char_traits<char>::length(out.c_str()));
    return out;
}

Result<std::unique_ptr<VfsShim>> VfsShim::install(StoreContext& context, std::string main_path, bool fresh) {
    sqlite3_vfs* base = sqlite3_vfs_find(base_name);
    if (base == nullptr) return Error{Errc::system, "SQLite lacks the unix-excl file system"};
    std::unique_ptr<VfsShim> made{new VfsShim{context, *base, std::move(main_path), fresh}};
    const int rc = sqlite3_vfs_register(made->vfs_.get(), 0);
    if (rc != SQLITE_OK) return Error{Errc::system, "the sealed file system cannot be registered", "", {}, rc};
    return made;
}

VfsShim::VfsShim(StoreContext& context, sqlite3_vfs& base, std::string main_path, bool fresh)
    : context_{context}, base_{base}, main_path_{std::move(main_path)}, wal_path_{main_path_ + "-wal"},
      name_{next_name()}, fresh_{fresh}, vfs_{make_vfs(base, name_.c_str(), this)} {}

VfsShim::~VfsShim() {
    assert(open_files_ == 0); // the store outlives its connections
    sqlite3_vfs_unregister(vfs_.get());
}

// The database and its WAL, and nothing else: no journal, no temporary file, no second database.
int VfsShim::open(const char* path, int flags, std::unique_ptr<StoredFile>& out, int* flags_out) {
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0 && is_main(path)) {
        out = std::make_unique<MainFile>(context_, base_);
        flags &= ~(SQLITE_OPEN_CREATE | SQLITE_OPEN_EXCLUSIVE); // SealedVfs::open made it; never a new one in its place
    } else if ((flags & SQLITE_OPEN_WAL) != 0 && is_wal(path)) {
        out = std::make_unique<WalFile>(context_, base_);
    } else {
        base::log(base::Level::warning, "store", "SQLite asked for a file that may not be", {{"flags", flags}});
        return SQLITE_CANTOPEN;
    }
    int given = 0;
    int rc = out->raw().open(base_, path, flags, &given);
    // A file that cannot be opened for writing at this moment is opened for reading by SQLite, and would stay so.
    if (rc == SQLITE_OK && (flags & SQLITE_OPEN_READWRITE) != 0 && (given & SQLITE_OPEN_READONLY) != 0)
        rc = SQLITE_CANTOPEN;
    if (rc != SQLITE_OK) {
        out.reset();
        return rc;
    }
    if (flags_out != nullptr) *flags_out = given;
    open_files_.fetch_add(1);
    return SQLITE_OK;
}

int VfsShim::remove(const char* path, bool sync_folder) {
    if (is_wal(path)) return base_.xDelete(&base_, path, sync_folder ? 1 : 0);
    return is_main(path) ? SQLITE_IOERR_DELETE : SQLITE_IOERR_DELETE_NOENT;
}

// There is no journal, whatever lies in the folder: one put there would be played back into the store.
int VfsShim::access(const char* path, int flags, int& out) {
    out = 0;
    return is_main(path) || is_wal(path) ? base_.xAccess(&base_, path, flags, &out) : SQLITE_OK;
}

int VfsShim::pragma(char** arguments) const {
    const char* name = arguments[1];
    const char* value = arguments[2];
    if (value == nullptr) return SQLITE_NOTFOUND;
    if (same_word(name, "journal_mode") && !same_word(value, "wal") && !(fresh_ && same_word(value, "memory")))
        return refuse_pragma(arguments, "this store is kept in WAL mode");
    if (same_word(name, "page_size") && !same_word(value, "4096"))
        return refuse_pragma(arguments, "this store has pages of 4096 bytes");
    if (same_word(name, "auto_vacuum") && !same_word(value, "none") && !same_word(value, "0"))
        return refuse_pragma(arguments, "this store has no auto_vacuum");
    return SQLITE_NOTFOUND;
}

} // namespace clinic::crypto
