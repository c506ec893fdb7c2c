// Private integration tokens in two slots, each a credential file that is read again when it changes: the current one
// and the next. A next one is tried by a probe first and takes over once GHL has answered to it, or at once when GHL
// refuses the current one; so a token is changed without a pause, while both are good (GHL's "rotate and expire
// later").
// A refusal is GHL's word of that moment: it is believed for ten minutes, and where both were refused they take turns.
//   Errors:  locked (no slot holds a token).
//   Threads: any.
//   Source:  facts/ghl-api §1.1.
#pragma once

#include <array>
#include <filesystem>
#include <mutex>
#include <optional>

#include "crypto/base/clock.h"
#include "sync/channel/ghl/credentials.h"

namespace clinic::ghl {

class TokenSlots final : public Credentials {
public:
    // `next` may be empty, or not there yet.
    TokenSlots(std::filesystem::path current, std::filesystem::path next, const Clock& clock)
        : clock_{clock}, slots_{Slot{std::move(current)}, Slot{std::move(next)}} {}

    Result<std::string> bearer(For use, const std::stop_token& stop) override;
    void accepted(const std::string& bearer) override;
    bool refused(const std::string& bearer) override;

private:
    struct Slot {
        std::filesystem::path path;
        std::string token = {}; // as last read
        std::filesystem::file_time_type written = {};
        bool works = false; // this token
        std::optional<base::Micros> refused_at = {};
    };
    static Result<void> look(Slot& slot, bool whatever_its_time);
    static bool differs(const Slot& slot, const Slot& from) { return !slot.token.empty() && slot.token != from.token; }
    bool is_refused(const Slot& slot) const;
    Slot& other() { return slots_.at(1 - active_); }

    const Clock& clock_;
    std::mutex mutex_;
    std::array<Slot, 2> slots_;
    std::size_t active_ = 0;
};

} // namespace clinic::ghl
