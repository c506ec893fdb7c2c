#include "provisioning/check_view.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "provisioning/answers.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

constexpr std::size_t mark_columns = 7, name_columns = 24;

struct Look {
    const char *result, *mark, *colour;
};
constexpr std::array looks{Look{"ok", "[ok]   ", "32"}, Look{"warn", "[look] ", "33"}, Look{"fail", "[FAIL] ", "31"},
                           Look{"not_known", "[?]    ", "34"}, Look{"suppressed", "[-]    ", "0"}};

// A result as a word, a shape, and a colour where the terminal has one.
std::string mark(const std::string& result) {
    const auto* look = std::find_if(looks.begin(), looks.end(), [&](const Look& one) { return result == one.result; });
    if (look == looks.end()) return "[?]    ";
    if (isatty(STDOUT_FILENO) == 0) return look->mark;
    return std::string{"\033["} + look->colour + "m" + look->mark + "\033[0m";
}

std::string word(const json& from, const char* key) {
    const auto found = from.find(key);
    return found != from.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::string lines_of(const json& check) {
    const std::string root = word(check, "root");
    std::string id = word(check, "id");
    id.resize(std::max(name_columns, id.size() + 1), ' ');
    std::string out = mark(word(check, "result")) + id +
                      wrapped(root.empty() ? word(check, "said") : "see " + root, mark_columns + name_columns);
    if (word(check, "cause").empty()) return out;
    const std::string set_in(mark_columns, ' ');
    out += set_in + wrapped(word(check, "title") + ": " + word(check, "cause"), mark_columns);
    return out + set_in + wrapped("Next: " + word(check, "next"), mark_columns);
}

std::string headed(std::string group) {
    group.front() = static_cast<char>(group.front() - 'a' + 'A');
    return group + "\n";
}

// In the order in which they first come.
std::vector<std::string> groups_of(const json& checks) {
    std::vector<std::string> all;
    for (const auto& check : checks)
        if (std::find(all.begin(), all.end(), word(check, "group")) == all.end()) all.push_back(word(check, "group"));
    return all;
}

std::string part(const json& counts, const char* result, const char* words) {
    const auto number = counts.value(result, 0);
    return number == 0 ? std::string{} : ", " + std::to_string(number) + words;
}

// The first cause of the worst: what it explains goes with it.
std::string first_of(const json& checks, const std::string& result) {
    const auto found =
        std::find_if(checks.begin(), checks.end(), [&](const json& check) { return word(check, "result") == result; });
    return found == checks.end() ? std::string{} : word(*found, "id");
}

std::string verdict(const json& report) {
    const json& counts = report.at("counts");
    const std::string worst = word(report, "result");
    const std::string well =
        std::to_string(counts.value("ok", 0)) + " of " + std::to_string(report.at("checks").size()) + " checks are ok";
    if (worst == "ok") return "\n" + wrapped(well, 0);
    return "\n" + wrapped(well + part(counts, "fail", " failed") + part(counts, "warn", " to be looked at") +
                              part(counts, "not_known", " not known") +
                              part(counts, "suppressed", " left out for what they follow from") + ". Begin with " +
                              first_of(report.at("checks"), worst) + ".",
                          0);
}

} // namespace

std::string view_check(const json& report) {
    std::string out;
    for (const auto& group : groups_of(report.at("checks"))) {
        out += (out.empty() ? "" : "\n") + headed(group);
        for (const auto& check : report.at("checks"))
            if (word(check, "group") == group) out += lines_of(check);
    }
    return out + verdict(report);
}

} // namespace clinic::provisioning
