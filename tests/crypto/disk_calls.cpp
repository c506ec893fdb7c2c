// Their inline forms would take the place of what is defined here.
#undef _FORTIFY_SOURCE

#include "tests/crypto/disk_calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cassert>
#include <cerrno>
#include <cstdarg>
#include <cstdio>

#include "tests/crypto/fault_disk.h"

namespace clinic::crypto::tests {
namespace {

std::atomic<FaultDisk*> in_front{nullptr};

template <class Function>
Function* real(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

int refuse(int why) {
    errno = why;
    return -1;
}

// `call` is made with the disk held still when the descriptor is one of its own, and fails when that is due.
template <class Call>
auto on_file(int descriptor, DiskCall kind, const Call& call) -> decltype(call(nullptr)) {
    if (in_front == nullptr) return call(nullptr);
    std::unique_lock lock{disk_lock()};
    FaultDisk* const disk = in_front;
    if (disk == nullptr || !disk->holds(descriptor)) {
        lock.unlock();
        return call(nullptr);
    }
    if (const int why = disk->failure(kind)) return refuse(why);
    return call(disk);
}

template <class Call>
int on_name(const char* path, DiskCall kind, const Call& call) {
    if (in_front == nullptr) return call(nullptr);
    std::unique_lock lock{disk_lock()};
    FaultDisk* const disk = in_front;
    if (disk == nullptr || !disk->holds_name(path)) {
        lock.unlock();
        return call(nullptr);
    }
    if (const int why = disk->failure(kind)) return refuse(why);
    return call(disk);
}

int open_through(const char* path, int flags, mode_t mode) {
    static const auto open_real = real<int(const char*, int, ...)>("open64");
    static const auto access_real = real<int(const char*, int)>("access");
    if (in_front == nullptr) return open_real(path, flags, mode);
    std::unique_lock lock{disk_lock()};
    FaultDisk* const disk = in_front;
    if (disk == nullptr || !disk->holds_name(path)) {
        lock.unlock();
        return open_real(path, flags, mode);
    }
    const bool was_there = access_real(path, F_OK) == 0;
    const bool makes = (flags & O_CREAT) != 0 && !was_there;
    if (const int why = disk->failure(DiskCall::open, makes)) return refuse(why);
    const int descriptor = open_real(path, flags, mode);
    if (descriptor >= 0) disk->opened(descriptor, path, makes, (flags & O_TRUNC) != 0);
    return descriptor;
}

// A read that is cut short finds the end of the file: 0 bytes.
template <class Call>
ssize_t read_through(int descriptor, const Call& call) {
    if (in_front == nullptr) return call();
    std::unique_lock lock{disk_lock()};
    FaultDisk* const disk = in_front;
    if (disk == nullptr || !disk->holds(descriptor)) {
        lock.unlock();
        return call();
    }
    const int why = disk->failure(DiskCall::read);
    if (why == 0) return call();
    return disk->cuts_short() ? 0 : refuse(why);
}

// `put(size)` writes so many of the bytes. At a full disk half of them have room.
template <class Put>
ssize_t write_through(int descriptor, const void* from, std::size_t size, std::int64_t at, const Put& put) {
    if (in_front == nullptr) return put(size);
    std::unique_lock lock{disk_lock()};
    FaultDisk* const disk = in_front;
    if (disk == nullptr || !disk->holds(descriptor)) {
        lock.unlock();
        return put(size);
    }
    const int why = disk->failure(DiskCall::write);
    if (why != 0 && why != ENOSPC) return refuse(why);
    const ssize_t done = put(why == 0 ? size : size / 2);
    if (done > 0) disk->wrote(descriptor, at, from, static_cast<std::size_t>(done));
    return why == 0 ? done : refuse(why);
}

int sync_through(int descriptor, const char* name) {
    if (in_front == nullptr) return real<int(int)>(name)(descriptor);
    const std::scoped_lock lock{disk_lock()};
    FaultDisk* const disk = in_front;
    if (disk == nullptr) return real<int(int)>(name)(descriptor);
    if (!disk->holds(descriptor)) return 0;
    if (const int why = disk->failure(DiskCall::sync)) return refuse(why);
    disk->synced(descriptor);
    return 0;
}

int truncate_through(int descriptor, off64_t size) {
    static const auto call = real<int(int, off64_t)>("ftruncate64");
    return on_file(descriptor, DiskCall::truncate, [&](FaultDisk* disk) {
        const int rc = call(descriptor, size);
        if (rc == 0 && disk != nullptr) disk->truncated(descriptor, size);
        return rc;
    });
}

int control_through(const char* name, int descriptor, int command, void* argument) {
    const auto call = real<int(int, int, ...)>(name);
    if (command != F_SETLK) return call(descriptor, command, argument);
    return on_file(descriptor, DiskCall::lock, [&](FaultDisk*) { return call(descriptor, command, argument); });
}

int remove_through(const char* name, const char* path) {
    const auto call = real<int(const char*)>(name);
    return on_name(path, DiskCall::remove, [&](FaultDisk* disk) {
        const int rc = call(path);
        if (rc == 0 && disk != nullptr) disk->removed(path);
        return rc;
    });
}

} // namespace

std::mutex& disk_lock() {
    static std::mutex mutex;
    return mutex;
}

void put_in(FaultDisk& disk) {
    const std::scoped_lock lock{disk_lock()};
    assert(in_front == nullptr);
    in_front = &disk;
}

void take_out(const FaultDisk& disk) {
    const std::scoped_lock lock{disk_lock()};
    if (in_front == &disk) in_front = nullptr;
}

} // namespace clinic::crypto::tests

using namespace clinic::crypto::tests;

// The same names as the C library's: the linker gives these to SQLite, to libstdc++ and to us.
extern "C" {

int open(const char* path, int flags, ...) {
    std::va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    return open_through(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
    std::va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    return open_through(path, flags, mode);
}

int close(int descriptor) {
    static const auto call = real<int(int)>("close");
    if (in_front != nullptr) {
        const std::scoped_lock lock{disk_lock()};
        if (FaultDisk* const disk = in_front) disk->closed(descriptor);
    }
    return call(descriptor);
}

ssize_t read(int descriptor, void* out, size_t size) {
    static const auto call = real<ssize_t(int, void*, size_t)>("read");
    return read_through(descriptor, [&] { return call(descriptor, out, size); });
}

ssize_t pread(int descriptor, void* out, size_t size, off_t at) {
    static const auto call = real<ssize_t(int, void*, size_t, off_t)>("pread");
    return read_through(descriptor, [&] { return call(descriptor, out, size, at); });
}

ssize_t pread64(int descriptor, void* out, size_t size, off64_t at) {
    static const auto call = real<ssize_t(int, void*, size_t, off64_t)>("pread64");
    return read_through(descriptor, [&] { return call(descriptor, out, size, at); });
}

ssize_t write(int descriptor, const void* from, size_t size) {
    static const auto call = real<ssize_t(int, const void*, size_t)>("write");
    if (in_front == nullptr) return call(descriptor, from, size);
    return write_through(descriptor, from, size, lseek(descriptor, 0, SEEK_CUR),
                         [&](size_t part) { return call(descriptor, from, part); });
}

ssize_t pwrite(int descriptor, const void* from, size_t size, off_t at) {
    static const auto call = real<ssize_t(int, const void*, size_t, off_t)>("pwrite");
    return write_through(descriptor, from, size, at, [&](size_t part) { return call(descriptor, from, part, at); });
}

ssize_t pwrite64(int descriptor, const void* from, size_t size, off64_t at) {
    static const auto call = real<ssize_t(int, const void*, size_t, off64_t)>("pwrite64");
    return write_through(descriptor, from, size, at, [&](size_t part) { return call(descriptor, from, part, at); });
}

int fsync(int descriptor) {
    return sync_through(descriptor, "fsync");
}

int fdatasync(int descriptor) {
    return sync_through(descriptor, "fdatasync");
}

int ftruncate(int descriptor, off_t size) noexcept {
    return truncate_through(descriptor, size);
}

int ftruncate64(int descriptor, off64_t size) noexcept {
    return truncate_through(descriptor, size);
}

int fstat(int descriptor, struct stat* out) noexcept {
    static const auto call = real<int(int, struct stat*)>("fstat");
    return on_file(descriptor, DiskCall::size, [&](FaultDisk*) { return call(descriptor, out); });
}

int fstat64(int descriptor, struct stat64* out) noexcept {
    static const auto call = real<int(int, struct stat64*)>("fstat64");
    return on_file(descriptor, DiskCall::size, [&](FaultDisk*) { return call(descriptor, out); });
}

int stat(const char* path, struct stat* out) noexcept {
    static const auto call = real<int(const char*, struct stat*)>("stat");
    return on_name(path, DiskCall::look, [&](FaultDisk*) { return call(path, out); });
}

int stat64(const char* path, struct stat64* out) noexcept {
    static const auto call = real<int(const char*, struct stat64*)>("stat64");
    return on_name(path, DiskCall::look, [&](FaultDisk*) { return call(path, out); });
}

int lstat(const char* path, struct stat* out) noexcept {
    static const auto call = real<int(const char*, struct stat*)>("lstat");
    return on_name(path, DiskCall::look, [&](FaultDisk*) { return call(path, out); });
}

int lstat64(const char* path, struct stat64* out) noexcept {
    static const auto call = real<int(const char*, struct stat64*)>("lstat64");
    return on_name(path, DiskCall::look, [&](FaultDisk*) { return call(path, out); });
}

int fcntl(int descriptor, int command, ...) {
    std::va_list more;
    va_start(more, command);
    void* const argument = va_arg(more, void*);
    va_end(more);
    return control_through("fcntl", descriptor, command, argument);
}

int fcntl64(int descriptor, int command, ...) {
    std::va_list more;
    va_start(more, command);
    void* const argument = va_arg(more, void*);
    va_end(more);
    return control_through("fcntl64", descriptor, command, argument);
}

int unlink(const char* path) noexcept {
    return remove_through("unlink", path);
}

int remove(const char* path) noexcept {
    return remove_through("remove", path);
}

int rmdir(const char* path) noexcept {
    return remove_through("rmdir", path);
}

int mkdir(const char* path, mode_t mode) noexcept {
    static const auto call = real<int(const char*, mode_t)>("mkdir");
    return on_name(path, DiskCall::make_folder, [&](FaultDisk* disk) {
        const int rc = call(path, mode);
        if (rc == 0 && disk != nullptr) disk->made_folder(path);
        return rc;
    });
}

int rename(const char* from, const char* to) noexcept {
    static const auto call = real<int(const char*, const char*)>("rename");
    return on_name(to, DiskCall::rename, [&](FaultDisk* disk) {
        const int rc = call(from, to);
        if (rc == 0 && disk != nullptr) disk->renamed(from, to);
        return rc;
    });
}

} // extern "C"
