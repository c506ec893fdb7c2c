#include "crypto/file_system.h"

#include <sys/statfs.h>

#include <algorithm>
#include <array>

namespace clinic::crypto {
namespace {

struct Refused {
    std::uint64_t kind;
    Literal what;
};

constexpr Literal remedy = "put the records' folder on a disk of this machine (ext4, xfs, btrfs, f2fs)";

// linux/magic.h; of those that are not in it, their sources and coreutils' stat.c.
constexpr std::array refused{
    Refused{0x6969, "the records' folder is on a network file system: NFS"},
    Refused{0xFF534D42, "the records' folder is on a network file system: CIFS"},
    Refused{0xFE534D42, "the records' folder is on a network file system: SMB2"},
    Refused{0x517B, "the records' folder is on a network file system: SMB"},
    Refused{0x65735546, "the records' folder is on a file system that a program serves: FUSE (as sshfs is)"},
    Refused{0x01021997, "the records' folder is on a network file system: 9p"},
    Refused{0x00C36400, "the records' folder is on a network file system: Ceph"},
    Refused{0x5346414F, "the records' folder is on a network file system: AFS"},
    Refused{0x6B414653, "the records' folder is on a network file system: AFS"},
    Refused{0x73757245, "the records' folder is on a network file system: Coda"},
    Refused{0x564C, "the records' folder is on a network file system: NCP"},
    Refused{0x7461636F, "the records' folder is on a cluster's file system: OCFS2"},
    Refused{0x01161970, "the records' folder is on a cluster's file system: GFS2"},
    Refused{0x0BD00BD0, "the records' folder is on a network file system: Lustre"},
    Refused{0x20030528, "the records' folder is on a network file system: OrangeFS"},
    Refused{0x47504653, "the records' folder is on a cluster's file system: GPFS"},
    Refused{0x19830326, "the records' folder is on a network file system: BeeGFS"},
    Refused{0xAAD7AAEA, "the records' folder is on a network file system: PanFS"},
    Refused{0xBEEFDEAD, "the records' folder is on a cluster's file system: StorNext"},
    Refused{0x61636673, "the records' folder is on a cluster's file system: ACFS"},
    Refused{0x013111A8, "the records' folder is on a cluster's file system: Ibrix"},
    Refused{0xBACBACBC, "the records' folder is a shared folder of a virtual machine: vmhgfs"},
    Refused{0x7C7C6673, "the records' folder is a shared folder of a virtual machine: prl_fs"},
    Refused{0x786F4256, "the records' folder is a shared folder of a virtual machine: vboxsf"},
};

} // namespace

std::optional<Error> refused_file_system(std::uint64_t kind) {
    const auto found = std::ranges::find(refused, kind, &Refused::kind);
    if (found == refused.end()) return std::nullopt;
    return Error{Errc::unsupported, found->what, remedy};
}

Result<void> may_hold_a_store(const std::filesystem::path& folder) {
    struct statfs about {};
    if (statfs(folder.c_str(), &about) != 0) return {};
    // A 32-bit number that some machines widen with its sign.
    if (const auto why = refused_file_system(static_cast<std::uint32_t>(about.f_type))) return *why;
    return {};
}

} // namespace clinic::crypto
