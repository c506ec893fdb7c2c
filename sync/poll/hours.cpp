#include "sync/poll/hours.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace clinic::poll {
namespace {

constexpr double requests_a_day = 200'000; // of a location: facts/ghl-api §2.1
constexpr double seconds_a_day = 86'400;
constexpr std::array<std::string_view, 7> day_names{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

std::optional<unsigned> day(std::string_view text) {
    const auto found = std::ranges::find(day_names, text);
    if (found == day_names.end()) return std::nullopt;
    return static_cast<unsigned>(found - day_names.begin());
}

// "mon" or "mon-fri"; a range may go over the week's end.
std::optional<unsigned> days_of(std::string_view part) {
    const auto dash = part.find('-');
    const auto first = day(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : day(part.substr(dash + 1));
    if (!first || !last) return std::nullopt;
    unsigned days = 0;
    for (unsigned one = *first;; one = (one + 1) % 7) {
        days |= 1U << one;
        if (one == *last) return days;
    }
}

std::optional<int> minutes(std::string_view text) {
    int hour = 0, minute = 0;
    if (text.size() != 5 || text[2] != ':') return std::nullopt;
    const auto one = std::from_chars(text.data(), text.data() + 2, hour);
    const auto two = std::from_chars(text.data() + 3, text.data() + 5, minute);
    if (one.ptr != text.data() + 2 || two.ptr != text.data() + 5 || hour < 0 || minute < 0 || minute > 59)
        return std::nullopt;
    const int all = hour * 60 + minute;
    return all <= 24 * 60 ? std::optional{all} : std::nullopt;
}

} // namespace

std::optional<Hours> Hours::parse(std::string_view text) {
    Hours out;
    const auto space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    for (auto days = text.substr(0, space);;) {
        const auto comma = days.find(',');
        const auto part = days_of(days.substr(0, comma));
        if (!part) return std::nullopt;
        out.days_ |= *part;
        if (comma == std::string_view::npos) break;
        days.remove_prefix(comma + 1);
    }
    const auto span = text.substr(space + 1);
    if (span.size() != 11 || span[5] != '-') return std::nullopt;
    const auto from = minutes(span.substr(0, 5)), until = minutes(span.substr(6));
    if (!from || !until || *from >= *until) return std::nullopt;
    out.from_ = *from;
    out.until_ = *until;
    return out;
}

bool Hours::hold(const std::tm& local) const {
    const int minute = local.tm_hour * 60 + local.tm_min;
    return (days_ & (1U << static_cast<unsigned>(local.tm_wday))) != 0 && minute >= from_ && minute < until_;
}

base::Micros wait_after(const Pace& pace, bool in_hours, std::int64_t requests) {
    const double share = in_hours ? pace.busy_share : pace.quiet_share;
    const double seconds = static_cast<double>(requests) * seconds_a_day / (requests_a_day * share);
    const base::Micros earned{static_cast<std::int64_t>(std::ceil(seconds * 1e6))};
    return std::max(in_hours ? pace.busy : pace.quiet, earned);
}

} // namespace clinic::poll
