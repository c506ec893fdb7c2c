#include "provisioning/advice_view.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace clinic::provisioning {
namespace {

using nlohmann::json;

constexpr std::size_t line_max = 76;

// In lines that break between words, four columns in.
std::string folded(const std::string& text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = std::min(at + line_max, text.size());
        if (end < text.size()) {
            const auto blank = text.rfind(' ', end);
            if (blank != std::string::npos && blank > at) end = blank;
        }
        out += "    " + text.substr(at, end - at) + "\n";
        at = std::min(text.find_first_not_of(' ', end), text.size());
    }
    return out;
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
        out += counts(one) + folded(one.at("statement").get<std::string>());
        for (const json& line : one.at("plan")) out += "      " + line.get<std::string>() + "\n";
        if (one.at("index").is_string()) out += "    would help:\n" + folded(one.at("index").get<std::string>());
    }
    return out;
}

} // namespace clinic::provisioning
