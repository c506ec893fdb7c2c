// The house rules, as functions of the link graph and the sources: who may include whom, and no cycles.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace clinic::house {

struct Target {
    std::string folder;                   // from the root
    std::vector<std::string> links, uses; // our targets only, by their real names
};
using Graph = std::map<std::string, Target>;

struct Source {
    std::string path; // from the root
    std::string text;
};

Graph parse_graph(const std::string& text);
std::vector<Source> read_sources(const std::filesystem::path& root);

// Each line: file, line number and the rule that is broken; empty when the house is in order.
std::vector<std::string> check_includes(const Graph& graph, const std::vector<Source>& sources);
std::vector<std::string> check_cycles(const Graph& graph);

// What a target reaches through links alone (its headers) or through uses as well (its sources).
std::set<std::string> reach(const Graph& graph, const std::string& target, bool with_uses);

std::string draw(const Graph& graph); // Mermaid, for docs/architecture.md

} // namespace clinic::house
