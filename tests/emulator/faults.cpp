#include "tests/emulator/faults.h"

#include <algorithm>
#include <array>
#include <utility>

namespace clinic::emulator {
namespace {

constexpr std::array<std::pair<const char*, Fault>, 19> names{{
    {"timeout-after-effect", Fault::timeout_after_effect},
    {"422-but-created", Fault::created_422},
    {"5xx", Fault::server_error},
    {"slow", Fault::slow},
    {"html-body", Fault::html_body},
    {"token-expired", Fault::token_expired},
    {"rate-limited", Fault::rate_limited},
    {"accepted-and-dropped", Fault::accepted_and_dropped},
    {"scope-lost", Fault::scope_lost},
    {"forbidden", Fault::forbidden},
    {"message-as-text", Fault::message_as_text},
    {"silent-429", Fault::silent_429},
    {"html-429", Fault::html_429},
    {"person-in-error", Fault::person_in_error},
    {"contended", Fault::contended},
    {"408-after-effect", Fault::timeout_said},
    {"dated-429", Fault::dated_429},
    {"gzip-unasked", Fault::gzip_unasked},
    {"duplicate-400", Fault::duplicate_400},
}};

bool fits(Fault fault, Asks asks) {
    constexpr std::array of_writes{Fault::timeout_after_effect, Fault::created_422,     Fault::accepted_and_dropped,
                                   Fault::message_as_text,      Fault::person_in_error, Fault::timeout_said};
    if (fault == Fault::duplicate_400) return asks == Asks::contact;
    return asks != Asks::read || std::find(of_writes.begin(), of_writes.end(), fault) == of_writes.end();
}

} // namespace

std::optional<Fault> fault_named(std::string_view text) {
    for (const auto& [name, fault] : names)
        if (text == name) return fault;
    return std::nullopt;
}

const char* name(Fault fault) {
    return std::find_if(names.begin(), names.end(), [&](const auto& pair) { return pair.second == fault; })->first;
}

std::optional<Fault> Faults::take(Asks asks) {
    const auto at = std::find_if(queue_.begin(), queue_.end(), [&](const Entry& one) { return fits(one.fault, asks); });
    if (at == queue_.end()) return std::nullopt;
    const Fault fault = at->fault;
    if (--at->count == 0) queue_.erase(at);
    return fault;
}

int Faults::waiting() const {
    int sum = 0;
    for (const Entry& entry : queue_) sum += entry.count;
    return sum;
}

bool Throttle::take(std::int64_t now_ms) {
    if (now_ms - window_from_ms_ >= window_ms || now_ms < window_from_ms_) {
        window_from_ms_ = now_ms;
        used_ = 0;
    }
    if (now_ms - day_from_ms_ >= day_ms || now_ms < day_from_ms_) {
        day_from_ms_ = now_ms;
        used_today_ = 0;
    }
    if (used_ >= per_window || used_today_ >= per_day) return false;
    ++used_;
    ++used_today_;
    return true;
}

int Throttle::remaining() const {
    return std::max(0, per_window - used_);
}
int Throttle::daily_remaining() const {
    return std::max(0, per_day - used_today_);
}

} // namespace clinic::emulator
