#include "provisioning/commands.h"

#include <gtest/gtest.h>

#include <vector>

namespace clinic::provisioning {
namespace {

struct Said {
    int exit;
    std::string out, err;
};

// Where nobody listens: what got as far as asking says so.
Said clinicctl(std::vector<std::string> words) {
    words.insert(words.end(), {"--control", "/nonexistent/control.sock"});
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int exit = run(words);
    std::string out = testing::internal::GetCapturedStdout();
    return {exit, std::move(out), testing::internal::GetCapturedStderr()};
}

bool asked(const Said& said) {
    return said.err.find("control.sock") != std::string::npos || said.err.find("clinicd") != std::string::npos;
}

TEST(Commands, HelpAsksAndDoesNothing) {
    for (const auto& words : std::vector<std::vector<std::string>>{
             {"sync", "status", "--help"}, {"feed", "remove", "pms", "--help"}, {"clock", "confirm", "--help"}}) {
        const auto said = clinicctl(words);
        EXPECT_EQ(said.exit, 0);
        EXPECT_FALSE(asked(said)) << said.err;
        EXPECT_NE(said.out.find("clinicctl " + words[0] + " " + words[1]), std::string::npos) << said.out;
        EXPECT_EQ(said.out.find("audit verify"), std::string::npos) << "the usage of other commands is noise";
    }
    EXPECT_NE(clinicctl({"--help"}).out.find("audit verify"), std::string::npos);
}

TEST(Commands, AnOptionOfAnotherCommandIsRefusedBeforeAnythingIsAsked) {
    for (const auto& words : std::vector<std::vector<std::string>>{{"quarantine", "replay", "7", "--feed", "pms"},
                                                                   {"quarantine", "replay", "7", "--all"},
                                                                   {"quarantine", "replay"},
                                                                   {"sync", "dead", "list", "--all"},
                                                                   {"feed", "remove", "pms", "--ack=silent"},
                                                                   {"sync", "dead", "discard", "7", "--dry-run"}}) {
        const auto said = clinicctl(words);
        EXPECT_EQ(said.exit, 2);
        EXPECT_FALSE(asked(said)) << said.err;
        EXPECT_FALSE(said.err.empty());
    }
}

TEST(Commands, ASetupThatIsNotUnderstoodBeginsNothing) {
    const std::string folder = "/nonexistent/setup";
    for (const auto& [words, said] : std::vector<std::pair<std::vector<std::string>, std::string>>{
             {{"setup", "--again", "lunch", "--state", folder}, "--again takes preflight, claim, terms"},
             {{"setup", "--answers", "/nonexistent/answers", "--state", folder}, "nothing was changed"},
             {{"setup", "verify", "/nonexistent/handover.json"}, "a file cannot be opened"}}) {
        const auto answer = clinicctl(words);
        EXPECT_EQ(answer.exit, 2);
        EXPECT_NE(answer.err.find(said), std::string::npos) << answer.err;
        EXPECT_FALSE(asked(answer)) << answer.err;
    }
    const auto status = clinicctl({"setup", "--status", "--state", folder});
    EXPECT_EQ(status.exit, 1);
    EXPECT_NE(status.out.find("1  to do  Is this machine fit?"), std::string::npos) << status.out;
}

TEST(Commands, AsksWhenTheWordsAreRight) {
    for (const auto& words : std::vector<std::vector<std::string>>{{"sync", "dead", "discard", "--all"},
                                                                   {"quarantine", "replay", "7", "--json"},
                                                                   {"status", "--json"},
                                                                   {"feed", "set", "pms", "--ack=silent"}}) {
        const auto said = clinicctl(words);
        EXPECT_EQ(said.exit, 2);
        EXPECT_TRUE(asked(said)) << said.err;
    }
}

} // namespace
} // namespace clinic::provisioning
