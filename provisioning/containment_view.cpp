#include "provisioning/containment_view.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace clinic::provisioning {
namespace {

using nlohmann::json;

constexpr std::size_t name_columns = 34;

const char* mark(const json& holds) {
    if (holds.is_null()) return "[?]   ";
    return holds.get<bool>() ? "[ok]  " : "[NO]  ";
}

std::string lines(const json& parts) {
    std::string out;
    for (const auto& part : parts) {
        std::string name = part.at("part").get<std::string>();
        name.resize(std::max(name_columns, name.size() + 1), ' ');
        out += mark(part.at("holds")) + name + part.at("detail").get<std::string>() + "\n";
    }
    return out;
}

} // namespace

json containment_report(const json& inside, const std::vector<Seen>& outside) {
    json seen = json::array();
    for (const auto& one : outside)
        seen.push_back(
            {{"part", one.part}, {"holds", one.holds ? json(*one.holds) : json(nullptr)}, {"detail", one.detail}});
    const auto hold = [](const json& parts) {
        return !parts.empty() && std::all_of(parts.begin(), parts.end(), [](const json& part) {
            return part.at("holds").is_boolean() && part.at("holds").get<bool>();
        });
    };
    const bool all = hold(inside) && hold(seen);
    return {{"v", 1}, {"holds", all}, {"inside", inside}, {"outside", std::move(seen)}};
}

std::string view_containment(const json& report) {
    return std::string{report.at("holds").get<bool>() ? "Every part of the containment holds"
                                                      : "Not every part of the containment holds"} +
           "\n\nAs clinicd asks the kernel\n" + lines(report.at("inside")) + "\nAs seen from outside\n" +
           lines(report.at("outside"));
}

} // namespace clinic::provisioning
