// An emulated TPM 2.0 (swtpm), as libtss2-tcti-swtpm0 speaks to one: two ports of the loopback of whatever network the
// calling thread is in when it plugs it in. Between the two stands what a kernel has for a real one: one user does not
// see the other. They take turns here, and what one has left there, of which a TPM has room for three, is taken away
// before the next comes.
//   Needs:   swtpm (`packaging/dependencies test`).
//   Errors:  thrown.
//   Threads: its own, and the caller's.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "crypto/base/owned.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::e2e {

class EmulatedTpm {
public:
    EmulatedTpm() = default;
    ~EmulatedTpm() { take_out(); }
    EmulatedTpm(const EmulatedTpm&) = delete;
    EmulatedTpm& operator=(const EmulatedTpm&) = delete;

    void plug_in();
    void take_out();
    void clear(); // while it is out: from then on it is another one

    static std::string for_systemd(); // SYSTEMD_TPM2_DEVICE=…

private:
    using Bytes = std::vector<unsigned char>;
    void start();
    void serve(const std::stop_token& stop);
    bool answer(int connection);
    Bytes ask(const Bytes& command);
    void take_away_what_was_left();

    fakes::TempFolder folder_;
    pid_t program_ = -1;
    base::UniqueFd tpm_, data_, control_;
    std::vector<Bytes> left_; // handles of sessions and keys
    std::chrono::steady_clock::time_point used_{};
    std::jthread thread_;
};

} // namespace clinic::e2e
