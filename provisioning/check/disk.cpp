// The disk that the records lie on: room, mount, file system, and how it ages.
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <sstream>

#include "crypto/base/files.h"
#include "provisioning/check/looks.h"
#include "provisioning/check/scene.h"

namespace clinic::check {
namespace {

constexpr std::uint64_t mega = 1'000'000;
constexpr std::uint64_t free_bytes_min = 32 * mega; // clinicd takes nothing in below 8
constexpr std::uint64_t percent_look = 10, percent_least = 3;

std::string size_text(std::uint64_t bytes) {
    std::array<char, 32> text{};
    const double megabytes = static_cast<double>(bytes) / static_cast<double>(mega);
    if (megabytes < 1'000)
        std::snprintf(text.data(), text.size(), "%.0f MB", megabytes);
    else
        std::snprintf(text.data(), text.size(), "%.1f GB", megabytes / 1'000);
    return text.data();
}

// The folder itself, or the nearest above it that is there.
std::optional<struct statvfs> look_at_file_system(const std::filesystem::path& folder) {
    struct statvfs about {};
    for (auto at = folder;; at = at.parent_path()) {
        if (statvfs(at.c_str(), &about) == 0) return about;
        if (at == at.parent_path()) return std::nullopt;
    }
}

Finding not_looked_at() {
    return unknown("the records' disk cannot be looked at", "the folder of the records cannot be reached",
                   "run clinicctl as root");
}

struct Mount {
    std::string device, point, type, options; // device: "8:1"
};

// "\040" stands for a blank.
std::string unescaped(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool octal = text[i] == '\\' && i + 3 < text.size();
        out += octal ? static_cast<char>(std::strtol(text.substr(i + 1, 3).c_str(), nullptr, 8)) : text[i];
        if (octal) i += 3;
    }
    return out;
}

// proc(5), mountinfo: "36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue"
Mount mount_of(const std::string& line) {
    std::istringstream words{line};
    std::string skip, options, super;
    Mount out;
    words >> skip >> skip >> out.device >> skip >> out.point >> options;
    while (words >> skip && skip != "-") continue;
    words >> out.type >> skip >> super;
    out.point = unescaped(out.point);
    out.options = options + "," + super;
    return out;
}

bool holds(const std::string& point, const std::string& path) {
    return point == "/" || path == point || path.starts_with(point + "/");
}

// The mount that the records lie on: of the deepest the newest.
std::optional<Mount> records_mount(const Scene& scene) {
    std::error_code failed;
    auto real = std::filesystem::weakly_canonical(scene.records, failed).string();
    if (failed) real = scene.records.string();
    std::optional<Mount> best;
    std::istringstream lines{scene.text("proc/self/mountinfo")};
    for (std::string line; std::getline(lines, line);) {
        auto one = mount_of(line);
        if (holds(one.point, real) && (!best || one.point.size() >= best->point.size())) best = std::move(one);
    }
    return best;
}

bool has_option(const Mount& mount, const std::string& wanted) {
    return ("," + mount.options + ",").find("," + wanted + ",") != std::string::npos;
}

Finding no_mounts() {
    return unknown("the kernel's list of mounts cannot be read", "/proc/self/mountinfo is not there or names no disk",
                   "look at /proc: it must be mounted");
}

// The device's own name: "sda1".
std::string device_name(const Scene& scene, const Mount& mount) {
    std::error_code failed;
    const auto link = std::filesystem::read_symlink(scene.under("sys/dev/block") / mount.device, failed);
    return failed ? std::string{} : link.filename().string();
}

} // namespace

Finding disk_space(const Scene& scene) {
    const auto about = look_at_file_system(scene.records);
    if (!about || about->f_blocks == 0) return not_looked_at();
    const std::uint64_t free = about->f_bavail * about->f_frsize, all = about->f_blocks * about->f_frsize;
    const std::uint64_t percent = free * 100 / all;
    const std::string said = std::to_string(percent) + " % free, " + size_text(free) + " of " + size_text(all);
    if (percent < percent_least || free < free_bytes_min)
        return fail(said, "the disk of the records is full or nearly so: soon no message can be stored",
                    "free room: journalctl --vacuum-size=200M; apt-get clean; then give the box a larger disk");
    if (percent < percent_look)
        return warn(said, "the disk of the records fills up", "see what grows: du -xh -d 2 /var | sort -h | tail");
    return ok(said);
}

Finding disk_files(const Scene& scene) {
    const auto about = look_at_file_system(scene.records);
    if (!about) return not_looked_at();
    if (about->f_files == 0) return ok("no fixed number of files");
    const std::uint64_t percent = about->f_favail * 100 / about->f_files;
    const std::string said = std::to_string(percent) + " % of the files' places free";
    constexpr Literal next = "find the folder with very many small files: du -x --inodes -d 2 /var | sort -n | tail";
    if (percent < percent_least)
        return fail(said, "the file system has no place for new files, though there may be room", next);
    return percent < percent_look ? warn(said, "the places for new files run out", next) : ok(said);
}

Finding disk_writable(const Scene& scene) {
    const auto about = look_at_file_system(scene.records);
    if (!about) return not_looked_at();
    if ((about->f_flag & ST_RDONLY) != 0)
        return fail(
            "mounted read-only", "the file system takes no writes: after an error the kernel mounts it so",
            "look for errors: dmesg | grep -iE 'ext4|xfs|I/O error'; check it at the next start, replace the disk");
    return ok("mounted for writing");
}

Finding disk_file_system(const Scene& scene) {
    constexpr std::array networked{"nfs", "nfs4", "cifs",      "smb3", "smbfs",
                                   "9p",  "ceph", "glusterfs", "afs",  "fuse.sshfs"};
    constexpr std::array fleeting{"tmpfs", "ramfs", "overlay"};
    const auto mount = records_mount(scene);
    if (!mount) return no_mounts();
    const std::string said = mount->type + " on " + mount->point;
    const auto is_one_of = [&](const auto& types) {
        return std::find(types.begin(), types.end(), mount->type) != types.end();
    };
    if (is_one_of(networked))
        return fail(said, "the records lie on a network's file system, whose locks and syncs cannot be relied on",
                    "move them to a disk of this machine: docs/status.md, mode damaged, E2011");
    if (is_one_of(fleeting))
        return warn(said, "the records lie in memory or in a layer that a restart may throw away",
                    "move them to a disk: `records` in clinicd.json");
    return ok(said);
}

Finding disk_journal(const Scene& scene) {
    const auto mount = records_mount(scene);
    if (!mount) return no_mounts();
    if (has_option(*mount, "data=writeback"))
        return fail("data=writeback", "after a power cut this mount may show old data in new files",
                    "take data=writeback out of /etc/fstab and restart the machine");
    if (has_option(*mount, "nobarrier") || has_option(*mount, "barrier=0"))
        return fail("no write barriers", "what was reported as written may be gone after a power cut",
                    "take nobarrier or barrier=0 out of /etc/fstab and restart the machine");
    return ok("ordered, with barriers");
}

Finding disk_errors(const Scene& scene) {
    const auto mount = records_mount(scene);
    if (!mount) return no_mounts();
    const std::string device = device_name(scene, *mount);
    const std::string count = scene.text("sys/fs/ext4/" + device + "/errors_count");
    if (device.empty() || count.empty()) return ok("this file system counts none");
    const auto errors = std::atoll(count.c_str());
    if (errors == 0) return ok("none since the last check");
    return fail(std::to_string(errors) + " on " + device, "the kernel found damage in the file system",
                "make a backup, then have it checked at the next start: touch /forcefsck, or fsck.mode=force");
}

// eMMC tells it in steps of 10 %, JESD84-B51: "0x03 0x01" of its two kinds of cells; 0x0B: more than its life.
Finding disk_wear(const Scene& scene) {
    constexpr long worn = 0x0a, spent = 0x0b;
    std::error_code failed;
    long most = -1;
    std::string disk;
    for (std::filesystem::directory_iterator one{scene.under("sys/block"), failed}, end; !failed && one != end;
         one.increment(failed)) {
        const auto text = base::read_text(one->path() / "device/life_time", 64);
        if (!text) continue;
        std::istringstream words{*text};
        for (std::string word; words >> word;) {
            const long value = std::strtol(word.c_str(), nullptr, 16);
            if (value <= most) continue;
            most = value;
            disk = one->path().filename().string();
        }
    }
    if (most < 0) return ok("no disk here tells its wear to the kernel");
    const std::string said = disk + ": up to " + std::to_string(most * 10) + " % of its life";
    if (most >= spent)
        return fail(said, "the disk has had more writes than it is made for", "make a backup and replace the disk now");
    return most >= worn ? warn(said, "the disk is nearly worn out", "plan its replacement; see that backups are made")
                        : ok(said);
}

} // namespace clinic::check
