// `clinicctl keys …`, and what a set-up by hand or from a file does of it. docs/clinicctl.md.
//   Words:   24 of the BIP-39 English list, in lower case, one space between two, no line end; in locked memory alone.
//   Errors:  where a function answers nothing, what was wrong and what to do next has been said on standard error.
//   Threads: one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crypto/secure_bytes.h"
#include "provisioning/call.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

// A key slot of the store: what opens it, as it may be told.
struct StoreKey {
    std::int64_t number = 0;
    std::string kind;    // "machine", "recovery", "passphrase"
    std::string label;   // 0 to 32 characters that an operator gave it
    std::string made_at; // RFC 3339; empty: a store of an earlier version did not say
    bool in_use = false; // the records were opened with it
};
std::optional<std::vector<StoreKey>> list_store_keys(const Client& client);

// A recovery key in two steps. `begin` makes it: clinicd holds it in memory, for half an hour and until the next
// `begin`, and no slot is written. `confirm` takes the words as somebody typed them from the paper: then the slot is
// durable, and its number is the answer. Words that do not fit can be typed again. `reason`: 4 to 200 characters,
// kept in the audit chain.
std::optional<crypto::SecureBytes> begin_recovery(const Client& client, const std::string& label,
                                                  const std::string& reason);
std::optional<std::int64_t> confirm_recovery(const Client& client, const crypto::SecureBytes& typed);

// 12 to 1,024 bytes. There is one passphrase: it takes the place of the one before, at once.
std::optional<std::int64_t> set_passphrase(const Client& client, const crypto::SecureBytes& passphrase,
                                           const std::string& reason);

// The words in a numbered grid, for pen and paper, past the C library's buffers. On a terminal: waits for Enter, and
// wipes the screen and what was scrolled off it.
void show_words(const crypto::SecureBytes& words);
// From a terminal one by one and unseen, each looked up as it is typed (its first four letters are enough); from a
// pipe all of them. Nothing: the input ended.
std::optional<crypto::SecureBytes> type_words();
// From a terminal unseen, and twice where it is a new one; from a pipe one line.
std::optional<crypto::SecureBytes> type_passphrase(bool is_new);

// The exit status of these: 0 done, 1 needs a look, 2 not done.
int list_keys(const Call& call, const Client& client);
int begin_recovery(const Call& call, const Client& client);
int confirm_recovery(const Call& call, const Client& client);
int keep_passphrase(const Call& call, const Client& client);
int remove_key(const Call& call, const Client& client);
int verify_key(const Call& call, const Client& client);
int recover_store(const Call& call, const Client& client);

} // namespace clinic::provisioning
