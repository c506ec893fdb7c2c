#include "tests/house/house.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace clinic::house {
namespace {

const std::filesystem::path root{CLINIC_SOURCE_DIR};
const std::filesystem::path graph_file{CLINIC_LINK_GRAPH};
constexpr const char* begin_mark = "<!-- graph: drawn from the link lines, do not edit -->\n";
constexpr const char* end_mark = "<!-- end of graph -->\n";

std::string whole(const std::filesystem::path& path) {
    std::ifstream in{path};
    return {std::istreambuf_iterator<char>{in}, {}};
}

Graph real_graph() {
    return parse_graph(whole(graph_file));
}

std::string lines(const std::vector<std::string>& all) {
    std::string text;
    for (const auto& one : all) text += one + "\n";
    return text;
}

const Graph small{
    {"clinic_base", {"base", {}, {}}},
    {"clinic_records", {"daemon/records", {"clinic_base"}, {}}},
    {"clinic_envelope", {"sync/envelope", {"clinic_base"}, {}}},
    {"clinic_lane", {"sync/lane", {"clinic_envelope"}, {}}},
};

TEST(House, IncludesOnlyWhatItLinks) {
    EXPECT_EQ(lines(check_includes(real_graph(), read_sources(root))), "");
}

TEST(House, HasNoCycles) {
    EXPECT_EQ(lines(check_cycles(real_graph())), "");
}

TEST(House, FindsAPlantedIncludeWithFileLineAndRule) {
    const auto faults =
        check_includes(small, {{"sync/lane/lane.cpp", "#include <map>\n#include \"daemon/records/store.h\"\n"}});
    ASSERT_EQ(faults.size(), 1u);
    EXPECT_EQ(
        faults[0],
        "sync/lane/lane.cpp:2: includes daemon/records/store.h of clinic_records, which clinic_lane does not link");
}

TEST(House, FindsAPlantedIncludeHoweverItIsSpelt) {
    for (const char* spelt : {"#include <daemon/records/store.h>", "  #  include \"daemon/records/store.h\"",
                              "#include \"../../daemon/records/store.h\""})
        EXPECT_EQ(check_includes(small, {{"sync/lane/lane.cpp", spelt}}).size(), 1u) << spelt;
}

TEST(House, LetsAHeaderIncludeOnlyWhatItsReadersGet) {
    Graph graph = small;
    graph["clinic_lane"].uses = {"clinic_records"};
    const std::string text = "#include \"daemon/records/store.h\"\n";
    EXPECT_TRUE(check_includes(graph, {{"sync/lane/lane.cpp", text}}).empty());
    EXPECT_EQ(check_includes(graph, {{"sync/lane/lane.h", text}}).size(), 1u);
}

TEST(House, FindsAPlantedCycle) {
    Graph graph = small;
    graph["clinic_base"].links = {"clinic_lane"};
    EXPECT_FALSE(check_cycles(graph).empty());
}

// The process with the network reaches nothing that can read records; crypto reaches nothing above it.
TEST(House, PointsOneWay) {
    const auto graph = real_graph();
    ASSERT_TRUE(graph.contains("clinic-syncd") && graph.contains("clinicd"));
    for (const auto& [name, target] : graph) {
        const bool sender = target.folder.rfind("sync", 0) == 0;
        const bool leaf = target.folder.rfind("crypto", 0) == 0;
        if (!sender && !leaf) continue;
        for (const auto& reached : reach(graph, name, true)) {
            const auto& folder = graph.at(reached).folder;
            EXPECT_NE(folder.rfind("daemon", 0), 0u) << name << " reaches " << reached;
            if (leaf) {
                EXPECT_EQ(folder.rfind("crypto", 0), 0u) << name << " reaches " << reached;
            }
        }
    }
}

// Hidden entries and what a build leaves behind aside.
TEST(House, TheTopLevelIsTheDesigns) {
    const std::set<std::string> designed{
        "CMakeLists.txt", "CMakePresets.json", "daemon", "sync", "crypto",    "provisioning",
        "packaging",      "systemd",           "tests",  "docs", "README.md", "LICENSE"};
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator{root}) {
        const std::string name = entry.path().filename().string();
        if (name[0] != '.' && name.rfind("build", 0) != 0) found.insert(name);
    }
    EXPECT_EQ(found, designed);
}

// CLINIC_DRAW=1 writes the picture anew.
TEST(House, ThePictureIsTheGraph) {
    const auto page = root / "docs/architecture.md";
    std::string text = whole(page);
    const auto from = text.find(begin_mark);
    const auto to = text.find(end_mark);
    ASSERT_NE(from, std::string::npos);
    ASSERT_NE(to, std::string::npos);
    const auto start = from + std::string{begin_mark}.size();
    const std::string drawn = draw(real_graph());
    if (std::getenv("CLINIC_DRAW") != nullptr) {
        text.replace(start, to - start, drawn);
        std::ofstream{page} << text;
    }
    EXPECT_EQ(text.substr(start, to - start), drawn) << "draw it anew: CLINIC_DRAW=1 ctest -R House.ThePicture";
}

} // namespace
} // namespace clinic::house
