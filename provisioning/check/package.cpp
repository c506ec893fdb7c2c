// dpkg's own book: whether an installation or an update was broken off.
#include <algorithm>
#include <array>
#include <sstream>

#include "provisioning/check/looks.h"
#include "provisioning/check/scene.h"

namespace clinic::check {
namespace {

struct Stanza {
    std::string package, status; // "install ok installed"
};

std::vector<Stanza> book_of(const std::string& text) {
    std::vector<Stanza> all;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("Package: ")) all.push_back({line.substr(9), ""});
        if (line.starts_with("Status: ") && !all.empty()) all.back().status = line.substr(8);
    }
    return all;
}

bool is_half(const std::string& status) {
    constexpr std::array words{"half-installed",   "half-configured",  "unpacked",
                               "triggers-awaited", "triggers-pending", "reinstreq"};
    return std::any_of(words.begin(), words.end(),
                       [&](const char* word) { return status.find(word) != std::string::npos; });
}

} // namespace

Finding package_state(const Scene& scene) {
    const auto book = book_of(scene.text("var/lib/dpkg/status"));
    const auto own =
        std::find_if(book.begin(), book.end(), [](const auto& one) { return one.package == "clinic-edge"; });
    if (own == book.end() || own->status.find("config-files") != std::string::npos)
        return unknown("not installed as a package", "the programs were not put here by dpkg",
                       "apt-get install ./clinic-edge_VERSION.deb, if this is a clinic's box");
    if (own->status == "install ok installed" || own->status == "hold ok installed") return ok("installed");
    return fail(own->status, "an installation or an update of this package was broken off",
                "dpkg --configure -a; if that does not do: apt-get install --reinstall ./clinic-edge_VERSION.deb");
}

Finding package_others(const Scene& scene) {
    const auto book = book_of(scene.text("var/lib/dpkg/status"));
    if (book.empty()) return unknown("no book of dpkg", "/var/lib/dpkg/status cannot be read", "look at: dpkg --audit");
    std::string half;
    for (const auto& one : book)
        if (one.package != "clinic-edge" && is_half(one.status)) half += (half.empty() ? "" : ", ") + one.package;
    if (half.empty()) return ok("none is half done");
    return fail(half, "an update was broken off: apt refuses every other one until it is finished",
                "dpkg --configure -a");
}

} // namespace clinic::check
