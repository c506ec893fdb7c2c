// Words and passphrases between a person's paper and guarded memory: typed unseen, shown past every buffer.
//   Bounds:  what recovery_words.h and passphrase.h allow.
//   Threads: one; it reads standard input and, on a terminal, changes how that behaves until it returns.
#pragma once

#include <termios.h>

#include <optional>

#include "crypto/secure_bytes.h"

namespace clinic::provisioning {

// False, and said on standard error: this process could leave its memory in a core dump.
bool keep_memory_private();

// While it lives, letters come one by one, are not shown, and no key stops the program. One within another is fine.
class UnseenTerminal {
public:
    UnseenTerminal();
    ~UnseenTerminal();
    UnseenTerminal(const UnseenTerminal&) = delete;
    UnseenTerminal& operator=(const UnseenTerminal&) = delete;
    bool is_unseen() const { return held_; }

private:
    termios before_{};
    bool held_ = false;
};

// `what` is said before it is typed. Nothing: the input ended, or was too long.
std::optional<crypto::SecureBytes> type_unseen(const char* what);
// All of standard input, at most `bytes_max`; a line end at its end is taken away.
std::optional<crypto::SecureBytes> read_piped(std::size_t bytes_max);
bool is_typed(); // standard input is a terminal

// " 1. abandon      2. …": six rows of four, with a line end behind each. Read as it stands it is taken back.
crypto::SecureBytes word_grid(const crypto::SecureBytes& words);
void put_out(const crypto::SecureBytes& text); // to standard output, at once

} // namespace clinic::provisioning
