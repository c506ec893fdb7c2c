#include "sync/channel/ghl/token_slots.h"

#include <algorithm>
#include <chrono>

#include "crypto/base/files.h"
#include "crypto/base/log.h"

namespace clinic::ghl {
namespace {

constexpr std::size_t token_bytes_max = 4'096;
constexpr std::chrono::minutes refusal_lasts{10}; // a new token may not be known everywhere at once

bool plain(char c) {
    return c > ' ' && c < 0x7f;
}

Result<std::string> read_token(const std::filesystem::path& path) {
    auto text = base::read_text(path, token_bytes_max);
    if (!text)
        return Error{Errc::locked,
                     "the GHL token cannot be read",
                     "see token_file in the configuration",
                     {},
                     text.error().native};
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r' || text->back() == ' ')) text->pop_back();
    if (text->empty() || !std::all_of(text->begin(), text->end(), plain))
        return Error{Errc::locked, "the GHL token file does not hold a token", "one line, nothing else"};
    return text;
}

} // namespace

// A file that is away for a moment is being replaced: what was read stays.
Result<void> TokenSlots::look(Slot& slot, bool whatever_its_time) {
    if (slot.path.empty()) return Error{Errc::locked, "no file is named for it"};
    std::error_code failed;
    const auto written = std::filesystem::last_write_time(slot.path, failed);
    if (!slot.token.empty() && !whatever_its_time && (failed || written == slot.written)) return {};
    auto text = read_token(slot.path);
    if (!text) return slot.token.empty() ? Result<void>{text.error()} : Result<void>{};
    if (!whatever_its_time && written != slot.written) slot.refused_at.reset(); // somebody has put it there again
    slot.written = written;
    if (*text == slot.token) return {};
    slot = {.path = std::move(slot.path), .token = std::move(*text), .written = written};
    return {};
}

bool TokenSlots::is_refused(const Slot& slot) const {
    return slot.refused_at && clock_.monotonic() - *slot.refused_at < refusal_lasts;
}

Result<std::string> TokenSlots::bearer(For use, const std::stop_token&) {
    const std::lock_guard lock{mutex_};
    const auto first = look(slots_[0], false);
    const auto second = look(slots_[1], false);
    if (slots_.at(active_).token.empty()) active_ = 1 - active_;
    auto& active = slots_.at(active_);
    if (active.token.empty()) return slots_[1].path.empty() ? first.error() : (first ? second : first).error();
    // The other one is news: a probe finds out whether GHL knows it.
    const bool untried = differs(other(), active) && !other().works && !is_refused(other());
    return use == For::probe && untried ? other().token : active.token;
}

void TokenSlots::accepted(const std::string& bearer) {
    const std::lock_guard lock{mutex_};
    const bool is_active = slots_.at(active_).token == bearer;
    if (!is_active && other().token != bearer) return; // of a file that has changed meanwhile
    auto& slot = is_active ? slots_.at(active_) : other();
    slot.works = true, slot.refused_at.reset();
    if (is_active) return;
    active_ = 1 - active_;
    base::log(base::Level::notice, "ghl", "the token of the other slot works and is used from now on",
              {{"slot", static_cast<std::int64_t>(active_)}});
}

bool TokenSlots::refused(const std::string& bearer) {
    const std::lock_guard lock{mutex_};
    for (auto& slot : slots_) {
        static_cast<void>(look(slot, true)); // it may have been replaced within the second that its time tells
        if (slot.token == bearer) slot.refused_at = clock_.monotonic(), slot.works = false;
    }
    const auto& active = slots_.at(active_);
    if (!active.token.empty() && !is_refused(active)) return true;
    if (!differs(other(), active)) return false;
    const bool is_hope = !is_refused(other());
    active_ = 1 - active_; // also where GHL has refused that one before: one refusal may have been a hiccup
    slots_.at(active_).refused_at.reset();
    base::log(base::Level::notice, "ghl", "GHL refuses the token in use: the other slot's is used from now on",
              {{"slot", static_cast<std::int64_t>(active_)}});
    return is_hope;
}

} // namespace clinic::ghl
