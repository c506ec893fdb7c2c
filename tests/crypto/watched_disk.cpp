#include "tests/crypto/watched_disk.h"

#include <cassert>
#include <cstddef>
#include <filesystem>
#include <new>

namespace clinic::crypto::tests {
namespace {

struct DiskFile {
    sqlite3_file head;
    const WatchedDisk* disk;
    std::string name;
    sqlite3_file* inner;
};

DiskFile& self(sqlite3_file* file) {
    return *reinterpret_cast<DiskFile*>(file);
}
sqlite3_file* inner(sqlite3_file* file) {
    return self(file).inner;
}
const DiskWatch& watch(sqlite3_file* file) {
    return self(file).disk->watch();
}
constexpr std::size_t inner_at =
    (sizeof(DiskFile) + alignof(std::max_align_t) - 1) / alignof(std::max_align_t) * alignof(std::max_align_t);

int disk_close(sqlite3_file* file) {
    const int rc = inner(file)->pMethods->xClose(inner(file));
    std::destroy_at(&self(file));
    return rc;
}
int disk_read(sqlite3_file* file, void* out, int size, sqlite3_int64 at) {
    if (watch(file).read) watch(file).read(self(file).name, at, static_cast<std::size_t>(size));
    return inner(file)->pMethods->xRead(inner(file), out, size, at);
}
int disk_write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
    const std::span bytes{static_cast<const std::byte*>(from), static_cast<std::size_t>(size)};
    if (watch(file).wrote) watch(file).wrote(self(file).name, at, bytes);
    return inner(file)->pMethods->xWrite(inner(file), from, size, at);
}
int disk_truncate(sqlite3_file* file, sqlite3_int64 size) {
    return inner(file)->pMethods->xTruncate(inner(file), size);
}
int disk_sync(sqlite3_file* file, int flags) {
    return watch(file).syncs ? inner(file)->pMethods->xSync(inner(file), flags) : SQLITE_OK;
}
int disk_size(sqlite3_file* file, sqlite3_int64* out) {
    return inner(file)->pMethods->xFileSize(inner(file), out);
}
int disk_lock(sqlite3_file* file, int level) {
    return inner(file)->pMethods->xLock(inner(file), level);
}
int disk_unlock(sqlite3_file* file, int level) {
    return inner(file)->pMethods->xUnlock(inner(file), level);
}
int disk_check(sqlite3_file* file, int* out) {
    return inner(file)->pMethods->xCheckReservedLock(inner(file), out);
}
int disk_control(sqlite3_file* file, int op, void* argument) {
    return inner(file)->pMethods->xFileControl(inner(file), op, argument);
}
int disk_sector(sqlite3_file* file) {
    return inner(file)->pMethods->xSectorSize(inner(file));
}
int disk_device(sqlite3_file* file) {
    return inner(file)->pMethods->xDeviceCharacteristics(inner(file));
}
int disk_shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** out) {
    const int rc = inner(file)->pMethods->xShmMap(inner(file), region, size, extend, out);
    if (rc == SQLITE_OK && *out != nullptr && watch(file).shared)
        watch(file).shared(self(file).name, {const_cast<const std::byte*>(static_cast<volatile std::byte*>(*out)),
                                             static_cast<std::size_t>(size)});
    return rc;
}
int disk_shm_lock(sqlite3_file* file, int at, int count, int flags) {
    return inner(file)->pMethods->xShmLock(inner(file), at, count, flags);
}
void disk_shm_barrier(sqlite3_file* file) {
    inner(file)->pMethods->xShmBarrier(inner(file));
}
int disk_shm_unmap(sqlite3_file* file, int remove) {
    return inner(file)->pMethods->xShmUnmap(inner(file), remove);
}

constexpr sqlite3_io_methods methods{
    2,           disk_close,   disk_read,     disk_write,       disk_truncate,  disk_sync,
    disk_size,   disk_lock,    disk_unlock,   disk_check,       disk_control,   disk_sector,
    disk_device, disk_shm_map, disk_shm_lock, disk_shm_barrier, disk_shm_unmap, nullptr,
    nullptr};

int disk_open(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* flags_out) {
    const auto& disk = *static_cast<const WatchedDisk*>(vfs->pAppData);
    auto* real = reinterpret_cast<sqlite3_file*>(reinterpret_cast<std::byte*>(file) + inner_at);
    file->pMethods = nullptr;
    const int rc = disk.base()->xOpen(disk.base(), path, real, flags, flags_out);
    if (rc != SQLITE_OK) return rc;
    const std::string name = path == nullptr ? "temporary" : std::filesystem::path{path}.filename().string();
    new (file) DiskFile{{&methods}, &disk, name, real};
    if (disk.watch().opened) disk.watch().opened(name);
    return SQLITE_OK;
}

} // namespace

WatchedDisk::WatchedDisk(DiskWatch watch)
    : watch_{std::move(watch)}, base_{sqlite3_vfs_find("unix-excl")}, vfs_{std::make_unique<sqlite3_vfs>(*base_)} {
    vfs_->szOsFile = static_cast<int>(inner_at) + base_->szOsFile;
    vfs_->pAppData = this;
    vfs_->pNext = nullptr;
    vfs_->xOpen = disk_open;
    sqlite3_vfs_register(vfs_.get(), 0);
    assert(sqlite3_vfs_find("unix-excl") == vfs_.get());
}

WatchedDisk::~WatchedDisk() {
    sqlite3_vfs_unregister(vfs_.get());
}

} // namespace clinic::crypto::tests
