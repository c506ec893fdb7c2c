#include "provisioning/check/run.h"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>
#include <string_view>

#include "provisioning/check/later.h"
#include "provisioning/check/scene.h"

namespace clinic::check {
namespace {

using nlohmann::json;

constexpr Literal too_slow = "the look itself hangs: a disk, a driver or a program does not answer";
constexpr Literal look_there = "ask again; if it stays so, look for it: dmesg, ps -eo stat,comm | grep ^D";

const Line* line_of(const std::vector<Line>& lines, std::string_view id) {
    const auto found = std::find_if(lines.begin(), lines.end(), [&](const Line& one) { return one.check->id == id; });
    return found == lines.end() ? nullptr : &*found;
}

// Why it need not be looked at: the first that has failed, or is not known, of those that it follows from; or what a
// suppressed one of them follows from, if that has failed. What is not known hides only what asks for it directly.
const char* root_of(const Check& check, const std::vector<Line>& before) {
    for (const char* id : check.follows) {
        const Line* line = id == nullptr ? nullptr : line_of(before, id);
        if (line == nullptr) continue;
        if (line->found.outcome == Outcome::fail || line->found.outcome == Outcome::unknown) return line->check->id;
        if (line->root != nullptr && line_of(before, line->root)->found.outcome == Outcome::fail) return line->root;
    }
    return nullptr;
}

// An answer of another shape than we know it ends one look and no other.
Finding guarded(Finding (*look)(const Scene&), const Scene& scene) {
    try {
        return look(scene);
    } catch (const std::exception&) {
        return unknown("not understood", "what was seen has another form than this program knows",
                       "use the clinicctl of the same package as clinicd");
    }
}

Finding look(const Check& check, const std::shared_ptr<const Scene>& scene, Instant until) {
    const Later<Finding> later{[look = check.look, scene] { return guarded(look, *scene); }};
    const Finding* found = later.wait(std::min(until, std::chrono::steady_clock::now() + check.patience));
    return found != nullptr ? *found : unknown("no answer in time", too_slow, look_there);
}

// From worst to best, as an exit status sees them.
int weight(Outcome outcome) {
    switch (outcome) {
    case Outcome::fail: return 3;
    case Outcome::warn: return 2;
    case Outcome::unknown: return 1;
    case Outcome::ok:
    case Outcome::suppressed: break;
    }
    return 0;
}

json to_json(const Line& line) {
    const Check& check = *line.check;
    json follows = json::array();
    for (const char* id : check.follows)
        if (id != nullptr) follows.push_back(id);
    return {{"id", check.id},
            {"title", check.title},
            {"group", name(check.group)},
            {"result", name(line.found.outcome)},
            {"said", line.found.said},
            {"cause", line.found.cause.c_str()},
            {"next", line.found.next.c_str()},
            {"follows", std::move(follows)},
            {"root", line.root == nullptr ? json{} : json(line.root)},
            {"doc", std::string{"checks.md#"} + check.id},
            {"took_ms", line.took.count()}};
}

} // namespace

std::vector<Line> run(std::span<const Check> checks, const std::shared_ptr<const Scene>& scene,
                      std::chrono::milliseconds all) {
    const auto until = std::chrono::steady_clock::now() + all;
    std::vector<Line> lines;
    lines.reserve(checks.size());
    for (const Check& check : checks) {
        const auto begun = std::chrono::steady_clock::now();
        Line line{&check, {}, root_of(check, lines), {}};
        if (line.root == nullptr || check.even_so) line.found = look(check, scene, until);
        if (line.root != nullptr && line.found.outcome == Outcome::ok && check.even_so) line.root = nullptr;
        if (line.root != nullptr) line.found = {Outcome::suppressed, {}};
        line.took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begun);
        lines.push_back(std::move(line));
    }
    return lines;
}

Outcome verdict(std::span<const Line> lines) {
    Outcome worst = Outcome::ok;
    for (const Line& line : lines)
        if (weight(line.found.outcome) > weight(worst)) worst = line.found.outcome;
    return worst;
}

int exit_of(Outcome verdict) {
    if (verdict == Outcome::fail) return 2;
    return verdict == Outcome::ok ? 0 : 1;
}

json to_json(std::span<const Line> lines) {
    json all = json::array(), counts = json::object();
    for (const Outcome one : {Outcome::ok, Outcome::warn, Outcome::fail, Outcome::unknown, Outcome::suppressed})
        counts[name(one)] =
            std::count_if(lines.begin(), lines.end(), [&](const Line& line) { return line.found.outcome == one; });
    std::chrono::milliseconds took{};
    for (const Line& line : lines) {
        took += line.took;
        all.push_back(to_json(line));
    }
    const Outcome worst = verdict(lines);
    return {{"v", 1},           {"result", name(worst)},   {"exit", exit_of(worst)},
            {"counts", counts}, {"took_ms", took.count()}, {"checks", std::move(all)}};
}

} // namespace clinic::check
