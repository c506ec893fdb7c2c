// A file system of its own in memory, of so many bytes, on a folder; it goes with whoever made it, also when that is
// killed: it is mounted in a mount namespace of the calling thread's (and of the threads that it starts).
//   Errors:  `mounted` is false without root.
//   Threads: one.
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace clinic::fakes {

class SmallDisk {
public:
    SmallDisk(std::filesystem::path folder, int mebibytes) : folder_{std::move(folder)} {
        const std::string size = "mode=0700,size=" + std::to_string(mebibytes) + "m";
        mounted_ = unshare(CLONE_NEWNS) == 0 && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                   mount("tmpfs", folder_.c_str(), "tmpfs", 0, size.c_str()) == 0;
    }
    ~SmallDisk() {
        if (mounted_) umount2(folder_.c_str(), MNT_DETACH);
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;

    bool mounted() const { return mounted_; }
    void fill() const { // to the last byte
        const int file = open((folder_ / "filler").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        const std::string block(65'536, 'x');
        while (write(file, block.data(), block.size()) > 0) {
        }
        close(file);
    }
    void make_room() const { std::filesystem::remove(folder_ / "filler"); }

private:
    const std::filesystem::path folder_;
    bool mounted_ = false;
};

} // namespace clinic::fakes
