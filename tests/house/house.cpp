#include "tests/house/house.h"

#include <fstream>
#include <optional>
#include <regex>
#include <sstream>

namespace clinic::house {
namespace {

std::vector<std::string> ours(const std::string& words) {
    std::istringstream in{words};
    std::vector<std::string> found;
    for (std::string word; in >> word;) {
        if (word.rfind("clinic::", 0) == 0) word.replace(0, 8, "clinic_");
        if (word.rfind("clinic_", 0) == 0) found.push_back(word);
    }
    return found;
}

void follow(const Graph& graph, const std::string& target, std::set<std::string>& reached) {
    const auto found = graph.find(target);
    if (found == graph.end() || !reached.insert(target).second) return;
    for (const auto& next : found->second.links) follow(graph, next, reached);
}

// The target whose folder holds the path: the deepest one.
std::optional<std::string> owner(const Graph& graph, const std::string& path) {
    std::optional<std::string> best;
    std::size_t depth = 0;
    for (const auto& [name, target] : graph) {
        if (path.rfind(target.folder + "/", 0) == 0 && target.folder.size() >= depth) {
            depth = target.folder.size();
            best = name;
        }
    }
    return best;
}

bool visit(const Graph& graph, const std::string& name, std::vector<std::string>& path, std::set<std::string>& done,
           std::vector<std::string>& faults) {
    for (const auto& step : path) {
        if (step != name) continue;
        std::string line = "cycle:";
        for (const auto& one : path) line += " " + one;
        faults.push_back(line + " " + name);
        return false;
    }
    if (!done.insert(name).second) return true;
    const auto found = graph.find(name);
    if (found == graph.end()) return true;
    path.push_back(name);
    for (const auto* list : {&found->second.links, &found->second.uses})
        for (const auto& next : *list) visit(graph, next, path, done, faults);
    path.pop_back();
    return true;
}

} // namespace

Graph parse_graph(const std::string& text) {
    Graph graph;
    std::istringstream in{text};
    for (std::string line; std::getline(in, line);) {
        std::istringstream parts{line};
        std::string name, folder, links, uses;
        std::getline(parts, name, '|');
        std::getline(parts, folder, '|');
        std::getline(parts, links, '|');
        std::getline(parts, uses, '|');
        if (!name.empty()) graph[name] = {folder, ours(links), ours(uses)};
    }
    return graph;
}

std::vector<Source> read_sources(const std::filesystem::path& root) {
    std::vector<Source> sources;
    for (const char* top : {"crypto", "sync", "daemon", "provisioning", "packaging", "systemd"}) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator{root / top}) {
            const auto kind = entry.path().extension();
            if (kind != ".h" && kind != ".cpp") continue;
            std::ifstream in{entry.path()};
            sources.push_back(
                {std::filesystem::relative(entry.path(), root).string(), {std::istreambuf_iterator<char>{in}, {}}});
        }
    }
    return sources;
}

std::set<std::string> reach(const Graph& graph, const std::string& target, bool with_uses) {
    std::set<std::string> reached;
    follow(graph, target, reached);
    if (with_uses)
        for (const auto& used : graph.at(target).uses) follow(graph, used, reached);
    return reached;
}

std::vector<std::string> check_includes(const Graph& graph, const std::vector<Source>& sources) {
    static const std::regex include{R"re(^\s*#\s*include\s*["<]([^">]+)[">])re"};
    std::vector<std::string> faults;
    for (const auto& source : sources) {
        const auto own = owner(graph, source.path);
        if (!own) {
            faults.push_back(source.path + ":1: stands in no target's folder");
            continue;
        }
        const auto may = reach(graph, *own, source.path.ends_with(".cpp"));
        std::istringstream in{source.text};
        int number = 0;
        for (std::string line; std::getline(in, line);) {
            ++number;
            std::smatch match;
            if (!std::regex_search(line, match, include)) continue;
            if (match[1].str().find("../") != std::string::npos)
                faults.push_back(source.path + ":" + std::to_string(number) + ": includes " + match[1].str() +
                                 ": the way to a header begins at the root");
            if (line.find("<systemd/sd-") != std::string::npos) continue; // the library's own folder is called as ours
            const auto whose = owner(graph, match[1].str());
            if (whose && !may.contains(*whose))
                faults.push_back(source.path + ":" + std::to_string(number) + ": includes " + match[1].str() + " of " +
                                 *whose + ", which " + *own + " does not link");
        }
    }
    return faults;
}

std::vector<std::string> check_cycles(const Graph& graph) {
    std::vector<std::string> faults;
    std::set<std::string> done;
    for (const auto& [name, target] : graph) {
        std::vector<std::string> path;
        visit(graph, name, path, done, faults);
    }
    return faults;
}

std::string draw(const Graph& graph) {
    std::ostringstream out;
    out << "```mermaid\nflowchart TD\n";
    for (const auto& [name, target] : graph)
        if (target.folder.rfind("tests", 0) != 0)
            out << "  " << name << "[\"" << name << "<br/>" << target.folder << "/\"]\n";
    for (const auto& [name, target] : graph) {
        if (target.folder.rfind("tests", 0) == 0) continue;
        for (const auto& link : target.links) out << "  " << name << " --> " << link << "\n";
        for (const auto& use : target.uses) out << "  " << name << " -.-> " << use << "\n";
    }
    out << "```\n";
    return out.str();
}

} // namespace clinic::house
