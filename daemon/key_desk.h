// The keys of the box as operators ask for them, while the records are open and while they are not. docs/keys.md.
//   Bounds:  one recovery key waits to be typed back, for half an hour; after three wrong guesses each next one waits
//            up to a minute.
//   Errors:  of the commands: refused, malformed (`at.field`: the word's position), locked, throttled, full, and those
//            of the store.
//   Threads: any. A passphrase takes a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "crypto/base/clock.h"
#include "crypto/key_slot.h"
#include "crypto/secure_bytes.h"
#include "daemon/control/control_server.h"
#include "daemon/health/health.h"
#include "daemon/records/store.h"

namespace clinic::daemon {

// Of words and passphrases that opened nothing.
class Guesses {
public:
    // Errors: throttled: the next one has to wait.
    Result<void> may_guess(base::Micros now) const;
    int wrong(base::Micros now); // how many in a row
    void right() { in_a_row_ = 0; }
    int take_unsaid() { return std::exchange(unsaid_, 0); } // not in the audit chain yet
    void unsaid() { ++unsaid_; }

private:
    int in_a_row_ = 0, unsaid_ = 0;
    base::Micros next_{};
};

class KeyDesk {
public:
    struct Ways {
        std::filesystem::path credential;
        std::function<Result<std::unique_ptr<records::Store>>(const crypto::KeySlot&)> open;
        std::function<void()> try_now; // the machine's slot may fit now
    };
    KeyDesk(Ways ways, health::Health& health, const Clock& clock);

    control::Commands of_open(records::Store& store);
    control::Commands of_closed();
    // Held while the store is opened by anybody.
    std::mutex& opening() { return opening_; }
    // The records were opened, by the machine's slot: what happened while they were not comes into the audit chain.
    void opened(records::Store& store);
    void closed() { open_ = false; }

private:
    using Question = control::Question;
    using Outcome = Result<control::Answer>;
    struct Pending {
        crypto::SecureBytes secret;
        std::string label, reason;
        base::Micros since{};
    };
    Outcome list(records::Store& store, const Question& question);
    Outcome begin_recovery(records::Store& store, const Question& question);
    Outcome confirm_recovery(records::Store& store, const Question& question);
    Outcome keep_passphrase(records::Store& store, const Question& question);
    Outcome remove(records::Store& store, const Question& question);
    Outcome verify(records::Store& store, const Question& question);
    Outcome recover(const Question& question);
    Result<crypto::KeySlot> guess(const Question& question);
    void guessed_wrong(records::Store* store, uid_t asker);

    const Ways ways_;
    health::Health& health_;
    const Clock& clock_;
    std::mutex opening_;
    bool open_ = false; // under opening_, or by the thread that opens and closes
    std::mutex trying_; // one guess at a time
    std::mutex desk_;
    std::optional<Pending> pending_;
    Guesses guesses_;
};

} // namespace clinic::daemon
