#include "daemon/intake/hl7_time.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace clinic::intake {
namespace {

constexpr Error not_a_time{Errc::malformed, "not a date or time", "send YYYYMMDD or YYYYMMDDHHMMSS"};
// Outside of these, databases write "unknown" and "no end": 0001, 1753, 9999. UTC seconds of 1800 and 9998.
constexpr std::int64_t known_from_s = -5'364'662'400, known_to_s = 253'339'228'800;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

std::size_t digits_at(std::string_view text) {
    std::size_t count = 0;
    while (count < text.size() && is_digit(text[count])) ++count;
    return count;
}

int number(std::string_view digits) {
    int value = 0;
    for (const char c : digits) value = value * 10 + (c - '0');
    return value;
}

int days_in(int year, int month) {
    static constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

struct Written {
    int year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0, micros = 0;
    Precision precision = Precision::year;
    std::optional<int> offset_s;
};

// `.s…` after the seconds: to microseconds. Returns how many characters it took; 0 with a point and no digit is wrong.
std::optional<std::size_t> read_fraction(std::string_view text, Written& written) {
    if (text.empty() || text.front() != '.') return 0;
    const std::size_t count = digits_at(text.substr(1));
    if (count == 0 || count > 9) return std::nullopt;
    std::string micros{text.substr(1, std::min<std::size_t>(count, 6))};
    micros.resize(6, '0');
    written.micros = number(micros);
    return count + 1;
}

// ±ZZZZ, ±ZZ:ZZ, ±ZZ, Z or nothing.
bool read_zone(std::string_view text, Written& written) {
    if (text.empty()) return true;
    if (text == "Z") {
        written.offset_s = 0;
        return true;
    }
    const int sign = text.front() == '+' ? 1 : text.front() == '-' ? -1 : 0;
    std::string digits;
    for (const char c : text.substr(1))
        if (c != ':') digits.push_back(c);
    if (sign == 0 || digits_at(digits) != digits.size() || (digits.size() != 4 && digits.size() != 2)) return false;
    digits.resize(4, '0');
    const int hours = number(digits.substr(0, 2)), minutes = number(digits.substr(2));
    if (hours > 15 || minutes > 59) return false;
    written.offset_s = sign * (hours * 3'600 + minutes * 60);
    return true;
}

bool is_real(const Written& w) {
    return w.year >= 1 && w.month >= 1 && w.month <= 12 && w.day >= 1 && w.day <= days_in(w.year, w.month) &&
           w.hour <= 23 && w.minute <= 59 && w.second <= 60;
}

// YYYY[MM[DD[HH[MM[SS]]]]], all digits; the count says the precision.
bool read_digits(std::string_view digits, Written& w) {
    if (digits.size() < 4 || digits.size() > 14 || digits.size() % 2 != 0) return false;
    int* const parts[] = {&w.month, &w.day, &w.hour, &w.minute, &w.second};
    w.year = number(digits.substr(0, 4));
    for (std::size_t at = 4, next = 0; at < digits.size(); at += 2, ++next) *parts[next] = number(digits.substr(at, 2));
    w.precision = static_cast<Precision>((digits.size() - 4) / 2);
    return true;
}

// 2026-11-24[T09:00[:00]]: brings it to plain digits; what follows them stays in `rest`.
bool read_iso(std::string_view text, std::string& digits, std::string_view& rest) {
    static constexpr std::string_view form = "dddd-dd-ddTdd:dd:dd";
    std::size_t at = 0;
    for (; at < text.size() && at < form.size(); ++at) {
        const char c = text[at];
        if (form[at] == 'd' && is_digit(c))
            digits.push_back(c);
        else if (form[at] == 'T' && (c == 'T' || c == ' '))
            continue;
        else if (form[at] == 'd' || c != form[at])
            break;
    }
    rest = text.substr(at);
    return at == 10 || at == 16 || at == form.size();
}

Timestamp instant(const Written& w) {
    std::tm calendar{};
    calendar.tm_year = w.year - 1900;
    calendar.tm_mon = w.month - 1;
    calendar.tm_mday = w.day;
    calendar.tm_hour = w.hour;
    calendar.tm_min = w.minute;
    calendar.tm_sec = w.second;
    calendar.tm_isdst = -1;
    const std::int64_t seconds = w.offset_s ? timegm(&calendar) - *w.offset_s : mktime(&calendar);
    return {seconds * 1'000'000 + w.micros};
}

} // namespace

Result<std::optional<Moment>> read_time(std::string_view text) {
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    if (text.find_first_not_of('0') == std::string_view::npos) return std::optional<Moment>{};

    Written written;
    std::string digits{text.substr(0, digits_at(text))};
    std::string_view rest = text.substr(digits.size());
    if (digits.size() == 4 && rest.size() >= 6 && rest.front() == '-' && rest[3] == '-') {
        digits.clear();
        if (!read_iso(text, digits, rest)) return not_a_time;
    }
    if (digits.size() >= 8 && digits.find_first_not_of('0') == std::string::npos) return std::optional<Moment>{};
    if (!read_digits(digits, written)) return not_a_time;
    const auto fraction = read_fraction(rest, written);
    if (!fraction || (*fraction > 0 && written.precision != Precision::second)) return not_a_time;
    if (!read_zone(rest.substr(*fraction), written) || !is_real(written)) return not_a_time;
    const Timestamp at = instant(written);
    if (at.micros < known_from_s * 1'000'000 || at.micros >= known_to_s * 1'000'000) return std::optional<Moment>{};
    return std::optional<Moment>{
        Moment{at, written.precision, digits.substr(0, std::min<std::size_t>(digits.size(), 8))}};
}

Timestamp end_of_day(std::string_view date) {
    Written next;
    read_digits(date, next);
    ++next.day;
    return instant(next);
}

std::string hl7_time(Timestamp at) {
    const std::time_t seconds = at.micros / 1'000'000;
    std::tm calendar{};
    localtime_r(&seconds, &calendar);
    char text[32];
    const std::size_t length = std::strftime(text, sizeof text, "%Y%m%d%H%M%S%z", &calendar);
    return std::string(text, length);
}

} // namespace clinic::intake
