#include "daemon/containment_report.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "crypto/base/log.h"

namespace clinic::daemon {

using nlohmann::json;

std::vector<containment::Part> ContainmentReport::look() const {
    auto parts = containment::inspect(how_);
    parts.insert(parts.end(), tried_.begin(), tried_.end());
    {
        const std::scoped_lock lock{mutex_};
        if (bus_) parts.push_back(*bus_);
    }
    std::vector<health::ContainmentPart> shown;
    for (const auto& part : parts) {
        shown.push_back({part.name, part.holds, part.detail});
        if (!part.holds) base::log(base::Level::warning, "containment", part.name);
    }
    health_.set_containment(std::move(shown));
    return parts;
}

void ContainmentReport::joined_bus(containment::Part part) {
    {
        const std::scoped_lock lock{mutex_};
        bus_ = part;
    }
    look();
}

json ContainmentReport::to_json() const {
    json parts = json::array();
    for (const auto& part : look())
        parts.push_back({{"part", part.name.c_str()}, {"holds", part.holds}, {"detail", part.detail.c_str()}});
    json about{{"pid", getpid()},
               {"user", geteuid()},
               {"peer", how_.peer ? json(*how_.peer) : json(nullptr)},
               {"records", how_.records.string()},
               {"credential", how_.credential.string()},
               {"ports", how_.ports},
               {"doors", how_.doors}};
    return {{"parts", std::move(parts)}, {"about", std::move(about)}};
}

} // namespace clinic::daemon
