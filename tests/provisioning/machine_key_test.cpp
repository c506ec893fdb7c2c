// A new key of the machine, with its own systemd-creds. As root.
#include "provisioning/machine_key.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "provisioning/page_trust/sealed_keys.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::provisioning {
namespace {

TEST(MachineKey, IsMadeWhereNoneOpensAndTheOtherIsKept) {
    if (geteuid() != 0) {
        if (std::getenv("CI") != nullptr) FAIL() << "keys are sealed by root: run as root";
        GTEST_SKIP() << "keys are sealed by root: run as root";
    }
    const fakes::TempFolder etc;
    const auto folder = etc / "keys";
    std::filesystem::create_directory(folder);
    ASSERT_TRUE(make_machine_key(etc.path()));
    const SealedKeys keys{folder};
    const auto first = keys.get("clinic-edge.store", "clinic-edge.store");
    ASSERT_TRUE(first && *first);
    EXPECT_EQ((*first)->size(), 32U);
    EXPECT_EQ(make_machine_key(etc.path()).error().code, Errc::refused) << "it opens here";
    EXPECT_FALSE(std::filesystem::exists(folder / "before.1.clinic-edge.store"));

    std::ofstream{folder / "clinic-edge.store"} << "another machine's";
    ASSERT_TRUE(make_machine_key(etc.path()));
    const auto second = keys.get("clinic-edge.store", "clinic-edge.store");
    ASSERT_TRUE(second && *second);
    EXPECT_FALSE((*second)->same_as((*first)->bytes()));
    std::ofstream{folder / "clinic-edge.store"} << "a third machine's";
    ASSERT_TRUE(make_machine_key(etc.path()));
    for (const auto& [kept, words] : {std::pair{"before.1.clinic-edge.store", "another machine's"},
                                      {"before.2.clinic-edge.store", "a third machine's"}}) {
        std::string text;
        std::getline(std::ifstream{folder / kept}, text);
        EXPECT_EQ(text, words);
    }
}

} // namespace
} // namespace clinic::provisioning
