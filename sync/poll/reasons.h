// Why GHL is looked at out of turn, and when: many reasons are one look, and looks are spaced.
//   Rules:   the first reason is followed at once, or when the last look lets it; the newest once more after `again`,
//            because GHL's index may not have shown the change to the first look. A round serves all reasons before it.
//   Units:   monotonic time.
//   Threads: any.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>

#include "crypto/base/clock.h"
#include "sync/envelope/crm.h"

namespace clinic::poll {

class Reasons {
public:
    using Kinds = std::set<envelope::CrmKind>;
    Reasons(const Clock& clock, base::Micros again) : clock_{clock}, again_{again} {}

    void add(envelope::CrmKind kind);
    std::optional<base::Micros> due() const; // the next look
    Kinds take();                            // what is due now, and is due no more
    void keep(const Kinds& kinds);           // a look at them failed
    void space(base::Micros span);           // no look until then
    void round_begins() { take(); }

    // Until a look is due (true) or it is time for the round, which comes first (false; also when stopped).
    bool wait(std::stop_token stop, base::Micros round_at);

private:
    std::optional<base::Micros> due_locked() const;

    const Clock& clock_;
    const base::Micros again_;
    mutable std::mutex mutex_;
    std::condition_variable_any changed_;
    Kinds fresh_, later_;
    base::Micros later_at_{}, not_before_{};
};

} // namespace clinic::poll
