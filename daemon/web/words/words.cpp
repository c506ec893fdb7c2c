#include "daemon/web/words/words.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdio>

#include "daemon/web/words/catalogue.h"

namespace clinic::words {
namespace {

const Entry* find(std::string_view key) {
    const auto entries = catalogue();
    const auto at =
        std::lower_bound(entries.begin(), entries.end(), key, [](const Entry& entry, std::string_view wanted) {
            return std::string_view{entry.key.c_str()} < wanted;
        });
    return at != entries.end() && key == at->key.c_str() ? &*at : nullptr;
}

constexpr std::int64_t minute_s = 60, hour_s = 3'600, day_s = 86'400;

// A moment as the clinic's wall calendar shows it.
struct Wall {
    int year, hour, minute, second;
    unsigned month, day;
};

std::int64_t local_seconds(Timestamp at, int zone_minutes) {
    return at.micros / 1'000'000 + zone_minutes * minute_s;
}

Wall wall(Timestamp at, int zone_minutes) {
    const std::chrono::sys_seconds local{std::chrono::seconds{local_seconds(at, zone_minutes)}};
    const auto day = std::chrono::floor<std::chrono::days>(local);
    const std::chrono::year_month_day date{day};
    const auto seconds = static_cast<int>((local - day).count());
    return {int{date.year()}, seconds / 3'600,        seconds / 60 % 60,
            seconds % 60,     unsigned{date.month()}, unsigned{date.day()}};
}

bool same_day(Timestamp a, Timestamp b, int zone_minutes) {
    const Wall first = wall(a, zone_minutes), second = wall(b, zone_minutes);
    return first.year == second.year && first.month == second.month && first.day == second.day;
}

std::string two_digits(int value) {
    return (value < 10 ? "0" : "") + std::to_string(value);
}

std::string clock_time(Timestamp at, int zone_minutes) {
    const Wall time = wall(at, zone_minutes);
    return two_digits(time.hour) + ":" + two_digits(time.minute);
}

std::string day_and_month(const Wall& time) {
    return std::to_string(time.day) + " " + text("month." + std::to_string(time.month)).c_str();
}

std::string place(std::string_view name, const Values& values, const Moment& moment) {
    if (name == "n") return number(values.n);
    if (name == "ago") return ago(values.age_s, moment);
    if (name == "span") return span(values.age_s);
    if (name == "since") return since(values.at, moment);
    if (name == "date") return date(values.at, moment);
    if (name == "name") return std::string{values.name};
    if (name == "clock") return clock_time(values.at, moment.zone_minutes);
    assert(false && "a place of the catalogue that nobody fills");
    return {};
}

std::string counted(std::string_view key, std::int64_t n) {
    return say(key, {.n = n}, {});
}

} // namespace

bool has(std::string_view key) {
    return find(key) != nullptr;
}

Literal text(std::string_view key) {
    const Entry* entry = find(key);
    assert(entry != nullptr);
    return entry->text;
}

std::vector<std::string_view> keys() {
    std::vector<std::string_view> all;
    for (const auto& entry : catalogue()) all.emplace_back(entry.key.c_str());
    return all;
}

Literal form(std::string_view key, std::int64_t n) {
    if (const Entry* entry = find(key)) return entry->text;
    return text(std::string{key} + (n == 1 ? ".one" : ".other"));
}

std::string fill(std::string_view sentence, const Values& values, const Moment& moment) {
    std::string filled;
    while (!sentence.empty()) {
        const auto open = sentence.find('{');
        filled += sentence.substr(0, open);
        if (open == std::string_view::npos) break;
        const auto close = sentence.find('}', open);
        assert(close != std::string_view::npos);
        filled += place(sentence.substr(open + 1, close - open - 1), values, moment);
        sentence.remove_prefix(close + 1);
    }
    return filled;
}

std::string say(std::string_view key, const Values& values, const Moment& moment) {
    return fill(form(key, values.n).c_str(), values, moment);
}

Timestamp moment_of(std::string_view text) {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    const std::string copy{text};
    if (std::sscanf(copy.c_str(), "%d-%d-%dT%d:%d:%dZ", &year, &month, &day, &hour, &minute, &second) != 6) return {};
    using namespace std::chrono;
    const sys_days date{std::chrono::year{year} / month / day};
    const auto span = date.time_since_epoch() + hours{hour} + minutes{minute} + seconds{second};
    return {duration_cast<microseconds>(span).count()};
}

std::string number(std::int64_t value) {
    std::string digits = std::to_string(value);
    const std::size_t first = value < 0 ? 1 : 0;
    for (std::size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, 1, ',');
    return digits;
}

std::string ago(std::int64_t age_s, const Moment& moment) {
    if (age_s < 0) return text("page.never").c_str();
    if (age_s < 2) return text("time.now").c_str();
    if (age_s < minute_s) return counted("time.seconds_ago", age_s);
    if (age_s < hour_s) return counted("time.minutes_ago", age_s / minute_s);
    const Timestamp at = moment.now - std::chrono::seconds{age_s};
    return say(same_day(at, moment.now, moment.zone_minutes) ? "time.at" : "time.on", {.at = at}, moment);
}

std::string span(std::int64_t seconds) {
    if (seconds < minute_s) return counted("time.seconds", std::max<std::int64_t>(seconds, 0));
    if (seconds < hour_s) return counted("time.minutes", seconds / minute_s);
    if (seconds < 2 * day_s) return counted("time.hours", seconds / hour_s);
    return counted("time.days", seconds / day_s);
}

std::string since(Timestamp at, const Moment& moment) {
    return same_day(at, moment.now, moment.zone_minutes) ? clock_time(at, moment.zone_minutes) : date(at, moment);
}

std::string date(Timestamp at, const Moment& moment) {
    const Wall time = wall(at, moment.zone_minutes);
    const bool this_year = time.year == wall(moment.now, moment.zone_minutes).year;
    return day_and_month(time) + (this_year ? "" : " " + std::to_string(time.year));
}

std::string bytes(std::int64_t value) {
    constexpr std::array units{"B", "kB", "MB", "GB", "TB"};
    double amount = static_cast<double>(value);
    std::size_t unit = 0;
    while (amount >= 1'000 && unit + 1 < units.size()) amount /= 1'000, ++unit;
    char text[32];
    std::snprintf(text, sizeof text, "%.*f %s", unit == 0 ? 0 : 1, amount, units[unit]);
    return text;
}

std::string exact(Timestamp at, const Moment& moment) {
    const Wall time = wall(at, moment.zone_minutes);
    return day_and_month(time) + " " + std::to_string(time.year) + ", " + clock_time(at, moment.zone_minutes) + ":" +
           two_digits(time.second);
}

} // namespace clinic::words
