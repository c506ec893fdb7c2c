#include "tests/crypto/fault_disk.h"

#include <algorithm>

#include "tests/crypto/store_fixture.h"

namespace clinic::crypto::tests {
namespace {

struct DiskFile {
    sqlite3_file head;
    FaultDisk* disk;
    std::string name;
    sqlite3_file* inner;
};

DiskFile& self(sqlite3_file* file) {
    return *reinterpret_cast<DiskFile*>(file);
}
sqlite3_file* inner(sqlite3_file* file) {
    return self(file).inner;
}
FaultDisk& disk(sqlite3_vfs* vfs) {
    return *static_cast<FaultDisk*>(vfs->pAppData);
}
constexpr std::size_t inner_at =
    (sizeof(DiskFile) + alignof(std::max_align_t) - 1) / alignof(std::max_align_t) * alignof(std::max_align_t);

int disk_close(sqlite3_file* file) {
    const int rc = inner(file)->pMethods->xClose(inner(file));
    std::destroy_at(&self(file));
    return rc;
}

int disk_read(sqlite3_file* file, void* out, int size, sqlite3_int64 at) {
    const int rc = self(file).disk->next_read();
    return rc == SQLITE_OK ? inner(file)->pMethods->xRead(inner(file), out, size, at) : rc;
}

int disk_write(sqlite3_file* file, const void* from, int size, sqlite3_int64 at) {
    const auto* bytes = static_cast<const std::byte*>(from);
    const int rc = self(file).disk->next(FaultDisk::Kind::write, self(file).name, at, {bytes, bytes + size});
    return rc == SQLITE_OK ? inner(file)->pMethods->xWrite(inner(file), from, size, at) : rc;
}

int disk_truncate(sqlite3_file* file, sqlite3_int64 size) {
    const int rc = self(file).disk->next(FaultDisk::Kind::truncate, self(file).name, size, {});
    return rc == SQLITE_OK ? inner(file)->pMethods->xTruncate(inner(file), size) : rc;
}

// Not passed on: a test does not wait for the machine's own disk.
int disk_sync(sqlite3_file* file, int) {
    return self(file).disk->next(FaultDisk::Kind::sync, self(file).name, 0, {});
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
    return inner(file)->pMethods->xShmMap(inner(file), region, size, extend, out);
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
    auto* real = reinterpret_cast<sqlite3_file*>(reinterpret_cast<std::byte*>(file) + inner_at);
    const int rc = disk(vfs).base()->xOpen(disk(vfs).base(), path, real, flags, flags_out);
    if (rc != SQLITE_OK) return rc;
    std::construct_at(reinterpret_cast<DiskFile*>(file), sqlite3_file{&methods}, &disk(vfs),
                      std::filesystem::path{path}.filename().string(), real);
    return SQLITE_OK;
}

using Image = std::vector<std::byte>;

void write_at(Image& image, std::size_t at, std::span<const std::byte> bytes) {
    if (image.size() < at + bytes.size()) image.resize(at + bytes.size());
    std::ranges::copy(bytes, image.begin() + static_cast<std::ptrdiff_t>(at));
}

// Some of the sectors a write touches, or all, or none.
void write_torn(Image& image, std::size_t at, std::span<const std::byte> bytes, std::mt19937& random) {
    constexpr std::size_t sector = 512;
    const unsigned fate = random() % 4;
    if (fate == 0) return;
    for (std::size_t done = 0; done < bytes.size();) {
        const std::size_t part = std::min(bytes.size() - done, sector - (at + done) % sector);
        if (fate != 1 || random() % 2 == 0) write_at(image, at + done, bytes.subspan(done, part));
        done += part;
    }
}

} // namespace

FaultDisk::FaultDisk() : base_{sqlite3_vfs_find("unix-excl")}, vfs_{std::make_unique<sqlite3_vfs>(*base_)} {
    vfs_->szOsFile = static_cast<int>(inner_at) + base_->szOsFile;
    vfs_->pAppData = this;
    vfs_->pNext = nullptr;
    vfs_->xOpen = disk_open;
    sqlite3_vfs_register(vfs_.get(), 0);
    EXPECT_EQ(sqlite3_vfs_find("unix-excl"), vfs_.get());
}

FaultDisk::~FaultDisk() {
    sqlite3_vfs_unregister(vfs_.get());
}

void FaultDisk::fail(int nth, int code, bool once) {
    fail_in_ = nth;
    fail_code_ = code;
    fail_once_ = once;
    failed_ = false;
}

int FaultDisk::count() {
    if (fail_in_ == 0) return SQLITE_OK;
    if (failed_) return fail_once_ ? SQLITE_OK : fail_code_;
    if (--fail_in_ > 0) return SQLITE_OK;
    failed_ = true;
    fail_in_ = 1;
    return fail_code_;
}

int FaultDisk::next_read() {
    return fail_code_ == SQLITE_FULL ? SQLITE_OK : count();
}

int FaultDisk::next(Kind kind, const std::string& name, std::int64_t at, std::vector<std::byte> bytes) {
    const int rc = count();
    if (rc == SQLITE_OK) events_.push_back({kind, name, at, std::move(bytes)});
    return rc;
}

bool FaultDisk::wrote(std::string_view text) const {
    return std::ranges::any_of(events_, [&](const Event& event) { return holds(event.bytes, text); });
}

void FaultDisk::power_cut(std::size_t events, std::mt19937& random, const std::filesystem::path& start,
                          const std::filesystem::path& folder) const {
    std::map<std::string, std::size_t> synced; // by file: events before this one are on the disk
    for (std::size_t i = 0; i < events; ++i)
        if (events_[i].kind == Kind::sync) synced[events_[i].name] = i;

    std::map<std::string, Image> files;
    for (std::size_t i = 0; i < events; ++i) {
        const Event& event = events_[i];
        if (!files.contains(event.name)) files[event.name] = contents(start / event.name);
        Image& image = files[event.name];
        const auto at = static_cast<std::size_t>(event.at);
        if (event.kind == Kind::truncate) image.resize(at);
        if (event.kind != Kind::write) continue;
        if (i < synced[event.name])
            write_at(image, at, event.bytes);
        else
            write_torn(image, at, event.bytes, random);
    }
    copy_folder(start, folder);
    for (const auto& [name, image] : files) put_contents(folder / name, image);
}

} // namespace clinic::crypto::tests
