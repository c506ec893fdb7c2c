#include "daemon/intake/expectation.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

namespace clinic::intake {
namespace {

using std::chrono::seconds;

constexpr int minutes_of_day = 24 * 60;
constexpr int days_looked_at = 100; // longer ago than this is silent, whatever the hours
constexpr std::array<std::string_view, 7> day_names{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

constexpr Error bad_within{Errc::malformed, "not a time that a sender may be silent", "10m to 31d: 90m, 12h, 2d; none"};
constexpr Error bad_hours{Errc::malformed, "not hours that a clinic is open", "mon-fri 08:00-18:00, or always"};

std::optional<int> number(std::string_view text) {
    int value = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || wrong != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
    return value;
}

std::optional<std::size_t> day(std::string_view name) {
    const auto found = std::find(day_names.begin(), day_names.end(), name);
    if (found == day_names.end()) return std::nullopt;
    return static_cast<std::size_t>(found - day_names.begin());
}

std::uint8_t bit(std::size_t day) {
    return static_cast<std::uint8_t>(1U << day);
}

// "mon", "mon-fri", "sat-mon": over the end of the week too.
std::optional<std::uint8_t> days(std::string_view range) {
    const auto dash = range.find('-');
    const auto first = day(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : day(range.substr(dash + 1));
    if (!first || !last) return std::nullopt;
    std::uint8_t all = bit(*last);
    for (std::size_t one = *first; one != *last; one = (one + 1) % day_names.size()) all |= bit(one);
    return all;
}

// "08:00", and "24:00" for the end of a day.
std::optional<int> minute_of_day(std::string_view text) {
    if (text.size() != 5 || text[2] != ':') return std::nullopt;
    const auto hour = number(text.substr(0, 2)), minute = number(text.substr(3));
    if (!hour || !minute || *minute > 59 || *hour * 60 + *minute > minutes_of_day) return std::nullopt;
    return *hour * 60 + *minute;
}

std::string two_digits(int value) {
    return (value < 10 ? "0" : "") + std::to_string(value);
}

std::string clock_of(int minute) {
    return two_digits(minute / 60) + ":" + two_digits(minute % 60);
}

std::time_t seconds_of(Timestamp at) {
    return at.micros / 1'000'000;
}

// The moment of that local day and minute; the C library knows where the zone changes its offset.
std::time_t moment(std::tm day, int minute) {
    day.tm_hour = 0;
    day.tm_min = minute;
    day.tm_sec = 0;
    day.tm_isdst = -1;
    return std::mktime(&day);
}

// Of the open hours between the two, as far as `enough`.
std::time_t open_seconds(const OpenHours& hours, std::time_t from, std::time_t to, std::time_t enough) {
    std::tm day{};
    if (localtime_r(&from, &day) == nullptr) return 0;
    std::time_t sum = 0;
    for (int count = 0; count <= days_looked_at && sum <= enough; ++count, ++day.tm_mday) {
        std::tm known = day;
        known.tm_hour = 12; // a day that the clock changes on has its noon
        known.tm_isdst = -1;
        if (std::mktime(&known) == -1 || moment(known, 0) > to) break;
        const auto weekday = static_cast<std::size_t>((known.tm_wday + 6) % 7);
        if ((hours.days & bit(weekday)) == 0) continue;
        sum +=
            std::max<std::time_t>(0, std::min(to, moment(known, hours.to)) - std::max(from, moment(known, hours.from)));
    }
    return sum;
}

} // namespace

Result<seconds> parse_within(std::string_view text) {
    if (text == "none") return seconds{0};
    if (text.empty()) return bad_within;
    const auto count = number(text.substr(0, text.size() - 1));
    constexpr std::array units{std::pair{'m', seconds{60}}, std::pair{'h', seconds{3'600}},
                               std::pair{'d', seconds{86'400}}};
    const auto unit =
        std::find_if(units.begin(), units.end(), [&](const auto& one) { return one.first == text.back(); });
    if (!count || unit == units.end()) return bad_within;
    const auto within = *count * unit->second;
    if (within < expected_within_min || within > expected_within_max) return bad_within;
    return within;
}

std::string text_of_within(seconds within) {
    if (within.count() == 0) return "none";
    if (within.count() % 86'400 == 0) return std::to_string(within.count() / 86'400) + "d";
    if (within.count() % 3'600 == 0) return std::to_string(within.count() / 3'600) + "h";
    return std::to_string(within.count() / 60) + "m";
}

Result<OpenHours> parse_hours(std::string_view text) {
    if (text == "always") return OpenHours{};
    const auto space = text.find(' ');
    if (space == std::string_view::npos) return bad_hours;
    OpenHours hours{.days = 0};
    for (std::string_view list = text.substr(0, space); !list.empty();) {
        const auto comma = list.find(',');
        const auto some = days(list.substr(0, comma));
        if (!some) return bad_hours;
        hours.days |= *some;
        list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    }
    const auto span = text.substr(space + 1);
    const auto dash = span.find('-');
    if (dash == std::string_view::npos) return bad_hours;
    const auto from = minute_of_day(span.substr(0, dash)), to = minute_of_day(span.substr(dash + 1));
    if (hours.days == 0 || !from || !to || *from >= *to) return bad_hours;
    hours.from = *from;
    hours.to = *to;
    return hours;
}

std::string text_of(const OpenHours& hours) {
    if (hours == OpenHours{}) return "always";
    std::string out;
    for (std::size_t first = 0; first < day_names.size(); ++first) {
        if ((hours.days & bit(first)) == 0) continue;
        std::size_t last = first;
        while (last + 1 < day_names.size() && (hours.days & bit(last + 1)) != 0) ++last;
        (out += out.empty() ? "" : ",") += day_names[first];
        if (last != first) (out += '-') += day_names[last];
        first = last;
    }
    return out + " " + clock_of(hours.from) + "-" + clock_of(hours.to);
}

bool is_silent(const Expectation& expected, std::optional<Timestamp> last, Timestamp now) {
    if (expected.within.count() == 0) return false;
    const std::time_t from = seconds_of(last.value_or(expected.since)), to = seconds_of(now);
    if (to - from > static_cast<std::time_t>(days_looked_at) * 86'400) return true;
    return open_seconds(expected.hours, from, to, expected.within.count()) > expected.within.count();
}

} // namespace clinic::intake
