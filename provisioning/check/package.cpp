// dpkg's own word: whether an installation or an update was broken off.
#include <algorithm>
#include <array>
#include <sstream>
#include <vector>

#include "provisioning/check/looks.h"
#include "provisioning/check/scene.h"
#include "provisioning/programs/program.h"

namespace clinic::check {
namespace {

constexpr std::size_t book_bytes_max = 4 * 1'048'576;

struct Stanza {
    std::string package, status; // "install ok installed"
};

// What a program says; empty: it is not there, it failed, or it hangs.
std::string said_by(const std::vector<std::string>& command) {
    const auto ended = provisioning::run_program(
        command, {}, {.out_bytes_max = book_bytes_max, .patience = std::chrono::milliseconds{1'500}});
    if (!ended || ended->exit != 0) return {};
    const auto said = ended->out.bytes();
    return {reinterpret_cast<const char*>(said.data()), said.size()};
}

// Its files are asked for by its own program: an update that was broken off lies beside the book as well.
std::vector<Stanza> book_of(const Scene& scene) {
    std::vector<Stanza> all;
    std::istringstream lines{said_by({"/usr/bin/dpkg-query", "--admindir=" + scene.under("var/lib/dpkg").string(), "-W",
                                      "-f", "${Package}\t${Status}\n"})};
    for (std::string line; std::getline(lines, line);)
        if (const auto tab = line.find('\t'); tab != std::string::npos)
            all.push_back({line.substr(0, tab), line.substr(tab + 1)});
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
    const auto book = book_of(scene);
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
    const auto book = book_of(scene);
    if (book.empty())
        return unknown("no book of dpkg", "dpkg-query does not answer: this is no Debian, or dpkg itself is broken",
                       "look at: dpkg --audit");
    std::string half;
    for (const auto& one : book)
        if (one.package != "clinic-edge" && is_half(one.status)) half += (half.empty() ? "" : ", ") + one.package;
    if (half.empty()) return ok("none is half done");
    return fail(half, "an update was broken off: apt refuses every other one until it is finished",
                "dpkg --configure -a");
}

} // namespace clinic::check
