#include "crypto/base/days.h"

#include <ctime>

namespace clinic::base {
namespace {

std::string counted(std::int64_t days) {
    if (days == 0) return "less than a day";
    return std::to_string(days) + (days == 1 ? " day" : " days");
}

} // namespace

std::string utc_day(Timestamp at) {
    return rfc3339(at).substr(0, 10);
}

std::string local_day(Timestamp at) {
    return utc_day({Micros{local_date(at).time_since_epoch()}.count()});
}

std::chrono::sys_days local_date(Timestamp at) {
    const auto utc = std::chrono::floor<std::chrono::seconds>(std::chrono::sys_time<Micros>{Micros{at.micros}});
    const std::time_t seconds = utc.time_since_epoch().count();
    std::tm parts{};
    const bool known = localtime_r(&seconds, &parts) != nullptr;
    return std::chrono::floor<std::chrono::days>(utc + std::chrono::seconds{known ? parts.tm_gmtoff : 0});
}

std::string ends_on(const std::string& day, Micros left) {
    const std::int64_t days = std::chrono::duration_cast<std::chrono::days>(left).count();
    if (left < Micros{0}) return "ended on " + day + " (" + counted(-days) + " ago)";
    return "ends on " + day + " (in " + counted(days) + ")";
}

std::optional<Timestamp> time_of(const std::string& text) {
    std::tm parts{};
    const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return Timestamp{static_cast<std::int64_t>(timegm(&parts)) * 1'000'000};
}

std::string ends_in(std::int64_t days) {
    return "ends in " + counted(days);
}

} // namespace clinic::base
