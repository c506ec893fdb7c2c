#include "daemon/containment/ways.h"

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace clinic::containment {
namespace {

constexpr int no_fd = -1;
constexpr int no_process = -1;
constexpr long nonsense = 0x7fff'ffff; // flags and commands that no kernel knows

template <class... Arguments>
bool refused(long call, Arguments... arguments) {
    return syscall(call, arguments...) == -1 && errno == EPERM;
}
// Of a call that our filter answers as if there were no socket: the kernel says EBADF of no_fd.
bool refused_message(long call, const msghdr& message) {
    return syscall(call, no_fd, &message, 0) == -1 && (errno == ENOTSOCK || errno == EPERM);
}

sockaddr_un path_address() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    address.sun_path[0] = 'x';
    return address;
}

bool connecting() {
    const auto address = path_address();
    return refused(SYS_connect, no_fd, &address, sizeof address) &&
           refused(SYS_bind, no_fd, &address, sizeof address) && refused(SYS_listen, no_fd, 0);
}

bool new_sockets() {
    for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK, AF_XDP, AF_BLUETOOTH,
                             AF_CAN, AF_RXRPC, AF_SMC, AF_QIPCRTR})
        if (!refused(SYS_socket, family, nonsense, nonsense)) return false;
    return refused(SYS_socketpair, AF_UNIX, nonsense, 0, nullptr);
}

bool sending_to_a_name() {
    const auto address = path_address();
    msghdr nothing{};
    return refused(SYS_sendto, no_fd, "", 0, 0, &address, sizeof address) &&
           refused(SYS_sendto, no_fd, "", 0, MSG_FASTOPEN, nullptr, 0) && refused_message(SYS_sendmsg, nothing) &&
           refused(SYS_sendmmsg, no_fd, nullptr, 0, 0);
}

bool taking_descriptors() {
    msghdr nothing{};
    return refused_message(SYS_recvmsg, nothing) && refused(SYS_recvmmsg, no_fd, nullptr, 0, 0, nullptr) &&
           refused(SYS_pidfd_open, no_process, nonsense) && refused(SYS_pidfd_getfd, no_fd, no_fd, nonsense);
}

bool rings() {
    return refused(SYS_io_uring_setup, 0, nullptr) && refused(SYS_io_uring_enter, no_fd, 0, 0, 0, nullptr, 0) &&
           refused(SYS_io_uring_register, no_fd, nonsense, nullptr, 0);
}

bool other_processes() {
    return refused(SYS_ptrace, PTRACE_ATTACH, no_process, nullptr, nullptr) &&
           refused(SYS_process_vm_readv, no_process, nullptr, 0, nullptr, 0, 0) &&
           refused(SYS_process_vm_writev, no_process, nullptr, 0, nullptr, 0, 0) &&
           refused(SYS_kill, no_process, nonsense) && refused(SYS_kcmp, no_process, no_process, nonsense, 0, 0);
}

bool programs() {
    // Flags that make a thread's memory without its signals are an error of their own where cloning is allowed.
    return refused(SYS_execve, nullptr, nullptr, nullptr) &&
           refused(SYS_execveat, no_fd, nullptr, nullptr, nullptr, nonsense) &&
           refused(SYS_memfd_create, nullptr, nonsense) &&
           refused(SYS_clone, CLONE_SIGHAND, nullptr, nullptr, nullptr, nullptr);
}

bool namespaces() {
    return refused(SYS_setns, no_fd, nonsense) && refused(SYS_unshare, nonsense) &&
           refused(SYS_mount, nullptr, nullptr, nullptr, nonsense, nullptr) && refused(SYS_chroot, nullptr) &&
           refused(SYS_open_by_handle_at, no_fd, nullptr, nonsense);
}

bool kernel_helpers() {
    return refused(SYS_bpf, nonsense, nullptr, 0) && refused(SYS_perf_event_open, nullptr, 0, 0, 0, nonsense) &&
           refused(SYS_userfaultfd, nonsense) && refused(SYS_add_key, nullptr, nullptr, nullptr, 0, 0) &&
           refused(SYS_request_key, nullptr, nullptr, nullptr, 0) && refused(SYS_keyctl, nonsense) &&
           refused(SYS_fanotify_init, nonsense, nonsense) && refused(SYS_kexec_load, 0, nonsense, nullptr, nonsense);
}

bool shared_memory() {
    return refused(SYS_shmget, 0, 0, 0) && refused(SYS_msgget, nonsense, 0) && refused(SYS_semget, nonsense, 0, 0) &&
           refused(SYS_mq_open, nullptr, 0) && refused(SYS_vmsplice, no_fd, nullptr, 0, nonsense);
}

constexpr std::array all{
    Way{"connecting", connecting},
    Way{"new sockets", new_sockets},
    Way{"sending to a name", sending_to_a_name},
    Way{"taking descriptors", taking_descriptors},
    Way{"io_uring", rings},
    Way{"other processes", other_processes},
    Way{"running programs", programs},
    Way{"other namespaces", namespaces},
    Way{"helpers in the kernel", kernel_helpers},
    Way{"shared memory and queues", shared_memory},
};

} // namespace

std::span<const Way> ways() {
    return all;
}

} // namespace clinic::containment
