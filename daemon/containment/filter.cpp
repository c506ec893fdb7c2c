#include "daemon/containment/filter.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "crypto/base/owned.h"

namespace clinic::containment {
namespace {

using Context = std::unique_ptr<void, base::FreedBy<seccomp_release>>;

// Not here, and so refused: every call that makes or connects a socket, makes a process or runs a program, passes or
// takes a descriptor, shares memory or messages with another process, changes who we are, or looks into others.
constexpr std::array allowed{
    // memory
    SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(membarrier), SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(mremap),
    SCMP_SYS(msync), SCMP_SYS(munlock), SCMP_SYS(munmap),
    // files
    SCMP_SYS(access), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(copy_file_range), SCMP_SYS(dup), SCMP_SYS(dup2),
    SCMP_SYS(dup3), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fadvise64), SCMP_SYS(fallocate),
    SCMP_SYS(fcntl), SCMP_SYS(fdatasync), SCMP_SYS(flock), SCMP_SYS(fstat), SCMP_SYS(fstatfs), SCMP_SYS(fsync),
    SCMP_SYS(ftruncate), SCMP_SYS(getcwd), SCMP_SYS(getdents), SCMP_SYS(getdents64), SCMP_SYS(lseek), SCMP_SYS(lstat),
    SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(newfstatat), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(pread64),
    SCMP_SYS(preadv), SCMP_SYS(pwrite64), SCMP_SYS(pwritev), SCMP_SYS(read), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
    SCMP_SYS(readv), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(rmdir), SCMP_SYS(stat),
    SCMP_SYS(statfs), SCMP_SYS(statx), SCMP_SYS(sync_file_range), SCMP_SYS(truncate), SCMP_SYS(umask), SCMP_SYS(unlink),
    SCMP_SYS(unlinkat), SCMP_SYS(utimensat), SCMP_SYS(write), SCMP_SYS(writev),
    // events and time
    SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(epoll_create),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_wait),
    SCMP_SYS(eventfd), SCMP_SYS(eventfd2), SCMP_SYS(gettimeofday), SCMP_SYS(inotify_add_watch), SCMP_SYS(inotify_init1),
    SCMP_SYS(inotify_rm_watch), SCMP_SYS(nanosleep), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(poll), SCMP_SYS(ppoll),
    SCMP_SYS(pselect6), SCMP_SYS(select), SCMP_SYS(signalfd4), SCMP_SYS(time), SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_gettime), SCMP_SYS(timerfd_settime),
    // sockets that are there, and those that they accept: recvfrom takes no descriptor, as recvmsg would
    SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(getsockopt),
    SCMP_SYS(recvfrom), SCMP_SYS(setsockopt), SCMP_SYS(shutdown),
    // threads and signals
    SCMP_SYS(arch_prctl), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(futex), SCMP_SYS(get_robust_list),
    SCMP_SYS(getcpu), SCMP_SYS(restart_syscall), SCMP_SYS(rseq), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigsuspend), SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(sched_get_priority_max), SCMP_SYS(sched_get_priority_min), SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler), SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address), SCMP_SYS(sigaltstack),
    // about ourselves and the machine
    SCMP_SYS(capget), SCMP_SYS(getegid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getgroups), SCMP_SYS(getpid),
    SCMP_SYS(getppid), SCMP_SYS(getrandom), SCMP_SYS(getresgid), SCMP_SYS(getresuid), SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage), SCMP_SYS(gettid), SCMP_SYS(getuid), SCMP_SYS(sysinfo), SCMP_SYS(times), SCMP_SYS(uname)};

constexpr std::array settings{PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_CAPBSET_READ};

Error failed(int code) {
    return Error{Errc::system, "the system call filter cannot be made", "run on a kernel with seccomp", {}, -code};
}

template <std::size_t N>
Result<void> allow(scmp_filter_ctx context, int call, const std::array<scmp_arg_cmp, N>& where) {
    const int code = seccomp_rule_add_array(context, SCMP_ACT_ALLOW, call, N, where.data());
    return code == 0 ? Result<void>{} : failed(code);
}

scmp_arg_cmp is(unsigned argument, scmp_datum_t value) {
    return {argument, SCMP_CMP_EQ, value, 0};
}
scmp_arg_cmp without(unsigned argument, scmp_datum_t bits) {
    return {argument, SCMP_CMP_MASKED_EQ, bits, 0};
}
scmp_arg_cmp with(unsigned argument, scmp_datum_t bits) {
    return {argument, SCMP_CMP_MASKED_EQ, bits, bits};
}

// Calls that are allowed in part.
Result<void> fill_parts(scmp_filter_ctx context) {
    // Answers go where they came from: no address, and no connecting by sending.
    CLINIC_TRY(allow(context, SCMP_SYS(sendto), std::array{is(4, 0), without(3, MSG_FASTOPEN)}));
    // A thread of ours, never a process.
    CLINIC_TRY(allow(context, SCMP_SYS(clone), std::array{with(0, CLONE_THREAD)}));
    CLINIC_TRY(allow(context, SCMP_SYS(tgkill), std::array{is(0, static_cast<scmp_datum_t>(getpid()))}));
    // No memory that is written and then run.
    CLINIC_TRY(allow(context, SCMP_SYS(mmap), std::array{without(2, PROT_EXEC)}));
    CLINIC_TRY(allow(context, SCMP_SYS(mmap),
                     std::array{scmp_arg_cmp{2, SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC}}));
    CLINIC_TRY(allow(context, SCMP_SYS(mprotect), std::array{without(2, PROT_EXEC)}));
    // Bounds are read and not set: the one of core dumps stays.
    CLINIC_TRY(allow(context, SCMP_SYS(prlimit64), std::array{is(0, 0), is(2, 0)}));
    for (const int one : settings)
        CLINIC_TRY(allow(context, SCMP_SYS(prctl), std::array{is(0, static_cast<scmp_datum_t>(one))}));
    // The questions of terminals and sizes; TIOCSTI and the like are not among them.
    for (const unsigned long one :
         {0x5401UL /* TCGETS */, 0x5413UL /* TIOCGWINSZ */, 0x541BUL /* FIONREAD */, 0x5421UL /* FIONBIO */})
        CLINIC_TRY(allow(context, SCMP_SYS(ioctl), std::array{is(1, one)}));
    return {};
}

Result<void> fill(scmp_filter_ctx context) {
    // Calls of another ABI (32 bits, x32) would have other numbers: all refused.
    if (const int code = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM)); code != 0)
        return failed(code);
    if (const int code = seccomp_attr_set(context, SCMP_FLTATR_CTL_TSYNC, 1); code != 0) return failed(code);
    for (const int call : allowed)
        if (const int code = seccomp_rule_add(context, SCMP_ACT_ALLOW, call, 0); code != 0) return failed(code);
    CLINIC_TRY(fill_parts(context));
    // clone3 hides its flags behind a pointer; with ENOSYS the C library falls back to clone.
    if (const int code = seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0); code != 0)
        return failed(code);
    // So do these hide an address, or a descriptor. At this answer sd-bus goes on with writev and readv, which have
    // neither.
    for (const int call : {SCMP_SYS(sendmsg), SCMP_SYS(recvmsg)})
        if (const int code = seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOTSOCK), call, 0); code != 0)
            return failed(code);
    return {};
}

} // namespace

Result<void> load_filter() {
    const Context context{seccomp_init(SCMP_ACT_ERRNO(EPERM))};
    if (!context) return failed(-ENOMEM);
    CLINIC_TRY(fill(context.get()));
    if (const int code = seccomp_load(context.get()); code != 0) return failed(code);
    return {};
}

} // namespace clinic::containment
