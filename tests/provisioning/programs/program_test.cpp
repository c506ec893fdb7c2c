#include "provisioning/programs/program.h"

#include <gtest/gtest.h>

#include "crypto/base/files.h"

namespace clinic::provisioning {
namespace {

std::string said(const Result<Ended>& ended) {
    if (!ended) return ended.error().what.c_str();
    const auto bytes = ended->out.bytes();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Program, GetsItsInputAndItsAnswerComesBack) {
    EXPECT_EQ(said(run_program({"tr", "a-z", "A-Z"}, base::as_bytes("quiet"))), "QUIET");
    const std::string long_one(30'000, 'x');
    EXPECT_EQ(said(run_program({"cat"}, base::as_bytes(long_one))), long_one);
}

TEST(Program, EndsAsAShellCountsIt) {
    EXPECT_EQ(run_program({"true"})->exit, 0);
    EXPECT_EQ(run_program({"sh", "-c", "exit 3"})->exit, 3);
    EXPECT_EQ(run_program({"sh", "-c", "kill -KILL $$"})->exit, 128 + 9);
}

TEST(Program, OneThatReadsNothingOrSaysTooMuchIsNoEnd) {
    EXPECT_EQ(run_program({"false"}, base::as_bytes(std::string(30'000, 'x')))->exit, 1);
    EXPECT_EQ(run_program({"no-such-program-of-ours"}).error().code, Errc::not_found);
    EXPECT_EQ(run_program({"sh", "-c", "head -c 200000 /dev/zero"}).error().code, Errc::full);
}

TEST(Program, OneThatDoesNotEndIsNotWaitedFor) {
    using namespace std::chrono_literals;
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(run_program({"sleep", "60"}, {}, {.patience = 50ms}).error().code, Errc::timeout);
    EXPECT_EQ(run_program({"sh", "-c", "exec sleep 60 >&-"}, {}, {.patience = 50ms}).error().code, Errc::timeout);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 20s);
}

TEST(Program, TheCallerSaysHowMuchItMaySay) {
    const std::vector<std::string> much{"sh", "-c", "head -c 200000 /dev/zero"};
    EXPECT_EQ(run_program(much, {}, {.out_bytes_max = 300'000})->out.size(), 200'000U);
    EXPECT_EQ(run_program({"echo", "four"}, {}, {.out_bytes_max = 5}).error().code, Errc::full);
}

} // namespace
} // namespace clinic::provisioning
