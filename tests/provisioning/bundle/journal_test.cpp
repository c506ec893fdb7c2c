// A line is told where all of it stands in our programs; of any other, only how long it was.
#include "provisioning/bundle/journal.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "crypto/base/log.h"

namespace clinic::bundle {
namespace {

using nlohmann::json;

std::string program(std::initializer_list<std::string_view> texts) {
    std::string out = "\x7f"
                      "ELF";
    for (const auto text : texts) out += std::string{text} + '\0';
    return out;
}

struct Lines : testing::Test {
    json said(const std::string& message, const char* unit = "clinicd.service") const {
        return to_json({.at = {1'795'255'200'000'000}, .unit = unit, .priority = 4, .message = message}, literals);
    }
    bool is_left_out(const std::string& message) const {
        const auto line = said(message);
        return line.at("left_out_bytes") == message.size() && line.dump().find("aphod") == std::string::npos;
    }
    const Literals literals{{program({"records", "the disk is full", "free room; then start it anew", "full", "line",
                                      "native", "only the last words stay"})}};
};

TEST_F(Lines, OfOursAreToldPartByPart) {
    EXPECT_EQ(said("records: the disk is full; free room; then start it anew code=full native=28"),
              json::parse(R"({"at":"2026-11-21T10:00:00Z","unit":"clinicd.service","priority":4,"area":"records",
                              "what":"the disk is full","remedy":"free room; then start it anew",
                              "facts":{"code":"full","native":28}})"));
    EXPECT_EQ(said("records: the disk is full line=-3").at("facts"), json({{"line", -3}}));
    EXPECT_FALSE(said("records: the disk is full from=192.168.7.30").contains("facts")) << "an address of the clinic's";
}

TEST_F(Lines, WithAnotherWordAreLeftOut) {
    for (const char* message :
         {"records: the disk of Zaphod is full", "Zaphod: the disk is full", "records: the disk is full; Zaphod",
          "records: Zaphod; free room; then start it anew", "records: the disk is full zaphod=1",
          "records: the disk is full code=zaphod", "records: the disk is full line=Zaphod", "Zaphod Beeblebrox", "",
          "records: full", "records: the disk is full Zaphod"})
        EXPECT_TRUE(is_left_out(message)) << message;
    EXPECT_TRUE(is_left_out(std::string{"records: the disk is full\0Zaphod", 32}));
}

TEST_F(Lines, OfSystemdAreToldByTheirNumbers) {
    const auto line = to_json({.at = {},
                               .unit = "clinicd.service",
                               .message = {},
                               .message_id = "98e322203f7a4ed290d09fe03c09fe15",
                               .result = "exit-code",
                               .exit = 1},
                              literals);
    EXPECT_EQ(line.at("message_id"), "98e322203f7a4ed290d09fe03c09fe15");
    EXPECT_EQ(line.at("result"), "exit-code");
    EXPECT_EQ(line.at("exit"), 1);
    const auto odd = to_json({.unit = "Zaphod", .message_id = "Zaphod", .result = "Zaphod 3"}, literals);
    EXPECT_EQ(odd.dump().find("Zaphod"), std::string::npos) << odd;
}

// What our log writes is what is read here.
TEST_F(Lines, OfTheRealLogAreUnderstood) {
    testing::internal::CaptureStderr();
    base::log(base::Level::warning, "records", Error{Errc::full, "the disk is full", "", {.line = 3}, 28});
    auto written = testing::internal::GetCapturedStderr();
    ASSERT_TRUE(written.starts_with("<4>"));
    written = written.substr(3, written.size() - 4);
    EXPECT_EQ(said(written).at("what"), "the disk is full");
    EXPECT_EQ(said(written).at("facts"), json::parse(R"({"code":"full","native":28,"line":3})"));
    const auto own = Literals::of({"/proc/self/exe", "/no/such/program"});
    EXPECT_EQ(to_json({.unit = "clinicd.service", .message = written}, own).at("what"), "the disk is full");
}

TEST(Journal, OneThatIsNotThereIsNamed) {
    const auto lines = read_journal("/no/such/folder");
    ASSERT_FALSE(lines);
    EXPECT_EQ(lines.error().code, Errc::offline);
}

} // namespace
} // namespace clinic::bundle
