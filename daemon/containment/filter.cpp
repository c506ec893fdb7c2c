#include "daemon/containment/filter.h"

#include <linux/sched.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>

#include "crypto/base/owned.h"

namespace clinic::containment {
namespace {

using Context = std::unique_ptr<void, base::FreedBy<seccomp_release>>;

constexpr std::array always_refused{
    SCMP_SYS(connect),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(ptrace),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(setns),
    SCMP_SYS(unshare),
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(kexec_load),
    // A key of type dns_resolver has a helper on the host look a name up.
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
};

// A call that is refused only with these bits in this argument.
struct RefusedBits {
    int call;
    unsigned argument;
    scmp_datum_t bits;
};

constexpr std::array refused_bits{
    RefusedBits{SCMP_SYS(sendto), 3, MSG_FASTOPEN},   RefusedBits{SCMP_SYS(sendmsg), 2, MSG_FASTOPEN},
    RefusedBits{SCMP_SYS(sendmmsg), 3, MSG_FASTOPEN}, RefusedBits{SCMP_SYS(clone), 0, CLONE_NEWNET},
    RefusedBits{SCMP_SYS(clone), 0, CLONE_NEWUSER},
};

Error failed(int code) {
    return Error{Errc::system, "the system call filter cannot be made", "run on a kernel with seccomp", {}, -code};
}

Result<void> fill(scmp_filter_ctx context) {
    const auto refuse = SCMP_ACT_ERRNO(EPERM);
    if (const int code = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, refuse); code != 0) return failed(code);
    if (const int code = seccomp_attr_set(context, SCMP_FLTATR_CTL_TSYNC, 1); code != 0) return failed(code);
    for (const int call : always_refused)
        if (const int code = seccomp_rule_add(context, refuse, call, 0); code != 0) return failed(code);
    for (const auto& [call, argument, bits] : refused_bits) {
        const scmp_arg_cmp has_bits{argument, SCMP_CMP_MASKED_EQ, bits, bits};
        if (const int code = seccomp_rule_add_array(context, refuse, call, 1, &has_bits); code != 0)
            return failed(code);
    }
    const scmp_arg_cmp not_unix{0, SCMP_CMP_NE, AF_UNIX, 0};
    if (const int code = seccomp_rule_add_array(context, refuse, SCMP_SYS(socket), 1, &not_unix); code != 0)
        return failed(code);
    // A datagram to a path needs no connect: the resolver and syslog listen on some. Ours are answered where they came
    // from.
    const scmp_arg_cmp to_somebody{4, SCMP_CMP_NE, 0, 0};
    if (const int code = seccomp_rule_add_array(context, refuse, SCMP_SYS(sendto), 1, &to_somebody); code != 0)
        return failed(code);
    // clone3 hides its flags behind a pointer; with ENOSYS the C library falls back to clone.
    if (const int code = seccomp_rule_add(context, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0); code != 0)
        return failed(code);
    return {};
}

} // namespace

Result<void> load_filter() {
    const Context context{seccomp_init(SCMP_ACT_ALLOW)};
    if (!context) return failed(-ENOMEM);
    CLINIC_TRY(fill(context.get()));
    if (const int code = seccomp_load(context.get()); code != 0) return failed(code);
    return {};
}

} // namespace clinic::containment
