#include "sync/lane/rate_file.h"

#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>

#include "crypto/base/log.h"

namespace clinic::lane {
namespace {

constexpr std::int64_t parts = 100; // a difference of one of them is worth a write

bool holds_its_numbers(const nlohmann::json& json) {
    constexpr std::array keys{"max", "remaining", "at", "not_before"};
    if (!json.is_object() || json.size() != keys.size() + 1 || !json.value("location", nlohmann::json{}).is_string())
        return false;
    for (const char* key : keys)
        if (!json.value(key, nlohmann::json{}).is_number_unsigned()) return false;
    return true;
}

} // namespace

std::optional<Day> RateFile::read() {
    const auto json = file_.read();
    if (!json || !holds_its_numbers(*json)) {
        if (json || json.error().code != Errc::not_found)
            base::log(base::Level::warning, "rate",
                      "what was kept of the day's requests cannot be read; GHL says it again");
        return std::nullopt;
    }
    if (json->at("location").get_ref<const std::string&>() != location_) return std::nullopt;
    kept_ = Day{json->at("max").get<std::int64_t>(),
                json->at("remaining").get<std::int64_t>(),
                {json->at("at").get<std::int64_t>()},
                {json->at("not_before").get<std::int64_t>()}};
    return kept_;
}

void RateFile::keep(const std::optional<Day>& day) {
    if (!day) return;
    const bool differs = !kept_ || kept_->max != day->max || day->not_before > kept_->not_before ||
                         std::abs(kept_->remaining - day->remaining) * parts >= day->max;
    if (!differs) return;
    const auto written = file_.write({{"max", day->max},
                                      {"remaining", day->remaining},
                                      {"at", day->at.micros},
                                      {"not_before", day->not_before.micros},
                                      {"location", location_}});
    if (written) {
        kept_ = day;
        logged_ = false;
    } else if (!std::exchange(logged_, true)) {
        base::log(base::Level::warning, "rate", written.error());
    }
}

} // namespace clinic::lane
