#include "crypto/base/days.h"

#include <array>
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
    const auto seconds = static_cast<std::time_t>(at.micros / 1'000'000);
    std::tm parts{};
    std::array<char, 16> text{};
    if (localtime_r(&seconds, &parts) == nullptr) return utc_day(at);
    const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%d", &parts);
    return {text.data(), length};
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
