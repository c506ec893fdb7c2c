#include "provisioning/advice_view.h"

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "provisioning/answers.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

std::string set_in(const json& text) {
    return "    " + wrapped(text.get<std::string>(), 4);
}

std::string counts(const json& one) {
    std::array<char, 128> line{};
    std::snprintf(line.data(), line.size(), "%10lld %10lld %10lld %8lld %10.1f\n", one.at("runs").get<long long>(),
                  one.at("full_scan_steps").get<long long>(), one.at("automatic_indexes").get<long long>(),
                  one.at("sorts").get<long long>(), one.at("time_us").get<double>() / 1'000);
    return line.data();
}

} // namespace

std::string view_advice(const json& statements) {
    if (statements.empty()) return "no statement has walked a table, sorted or been slow since clinicd started\n";
    std::string out = "      runs scan steps auto index    sorts    time ms\n";
    for (const json& one : statements) {
        out += counts(one) + set_in(one.at("statement"));
        for (const json& line : one.at("plan")) out += "      " + line.get<std::string>() + "\n";
        if (one.at("index").is_string()) out += "    would help:\n" + set_in(one.at("index"));
    }
    return out;
}

} // namespace clinic::provisioning
