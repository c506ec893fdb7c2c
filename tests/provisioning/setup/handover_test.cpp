// What is handed over: the same bytes for the same set-up, a signature that others can verify, and no letter changed.
#include "provisioning/setup/handover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tests/fakes/temp_folder.h"

namespace clinic::setup {
namespace {

using nlohmann::json;
using testing::HasSubstr;

crypto::SigningKey key_of(int number) {
    std::array<std::byte, crypto::signing_seed_bytes> seed{};
    seed[0] = static_cast<std::byte>(number);
    return *crypto::SigningKey::from_seed(seed);
}

class Handover : public testing::Test {
protected:
    Handover() {
        auto progress = Progress::open(folder / "setup", true);
        EXPECT_TRUE(progress);
        const Timestamp at{1'790'000'000'000'000};
        EXPECT_FALSE(report_of(*progress, "1.0")) << "of a setup that is not finished";
        const json side = json::array({{{"stage", "TLS"}, {"result", "ok"}}});
        const std::vector<json> facts{
            {{"ok", 20}, {"checks", 21}, {"look", json::array({{{"id", "clock.kept"}, {"cause", "no time server"}}})}},
            {{"organization", "Hügel & Tal \"Gruppe\""},
             {"clinic", std::string(90, 'w')},
             {"box", "clinic-7"},
             {"zone", "UTC"},
             {"ghl", {{"base", "https://ghl.example"}, {"location", "Location1"}}},
             {"ops", nullptr}},
            {{"template",
              {{"title", "Dental practice"},
               {"pipeline", {{"lead", "Inquiry"}}},
               {"vocabulary", json::object()},
               {"retention", json::object()}}},
             {"basis", {{"mode", "baa"}, {"evidence", std::string(64, 'a')}, {"expires", "2030-01-01T00:00:00Z"}}},
             {"unlinked", "park"}},
            {{"slots", json::array({{{"kind", "recovery"}, {"label", "safe"}}})}},
            {{"feeds", json::array({{{"name", "pms"}, {"heard", true}}})}, {"ended", "all_heard"}},
            {{"ghl", {{"steps", side}, {"sent", true}}}, {"ops", nullptr}}};
        for (const Step step : steps) EXPECT_TRUE(progress->finish(step, facts[static_cast<std::size_t>(step)], at));
        report = *report_of(*progress, "1.0");
    }
    fakes::TempFolder folder;
    json report;
};

TEST_F(Handover, IsVerifiedByItsKeyAndByNoOther) {
    const auto text = signed_text(report, key_of(1));
    EXPECT_TRUE(verify(text, ""));
    EXPECT_TRUE(verify(text, key_of(1).public_key()));
    EXPECT_EQ(verify(text, key_of(2).public_key()).error().code, Errc::conflict);
    EXPECT_EQ(verify("%PDF-1.3", "").error().code, Errc::malformed);
    EXPECT_EQ(verify("{}", "").error().code, Errc::malformed);
}

TEST_F(Handover, EachChangedByteIsSeen) {
    const auto text = signed_text(report, key_of(1));
    for (std::size_t at = 0; at + 1 < text.size(); ++at) {
        std::string changed = text;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        EXPECT_FALSE(verify(changed, key_of(1).public_key())) << at << ": " << text.substr(at, 20);
    }
}

TEST_F(Handover, HasTheSameBytesEachTime) {
    EXPECT_EQ(signed_text(report, key_of(1)), signed_text(report, key_of(1)));
    const auto first = as_pdf(report, key_of(1)), second = as_pdf(report, key_of(1));
    ASSERT_TRUE(first);
    EXPECT_EQ(*first, *second);
    EXPECT_TRUE(first->starts_with("%PDF-"));
    EXPECT_GT(first->size(), 1'000U);
}

// Long texts and many lines go over pages, and nothing of them is lost on the way.
TEST_F(Handover, TakesAsManyPagesAsItNeeds) {
    for (int i = 0; i < 200; ++i)
        report["steps"]["feeds"]["feeds"].push_back({{"name", "sender-" + std::to_string(i)}, {"heard", false}});
    const auto pdf = as_pdf(report, key_of(1));
    ASSERT_TRUE(pdf);
    std::size_t pages = 0;
    for (auto at = pdf->find("/Type /Page\n"); at != std::string::npos; at = pdf->find("/Type /Page\n", at + 1))
        ++pages;
    EXPECT_GE(pages, 4U);
    EXPECT_THAT(*pdf, HasSubstr("sender-199"));
}

// docs/keys.md: whoever has jq and OpenSSL needs nothing of ours.
TEST_F(Handover, IsVerifiedWithoutOurPrograms) {
    std::ofstream{folder / "handover.json"} << signed_text(report, key_of(1));
    const std::string script =
        "cd " + folder.path().string() +
        " && jq -cjS .report handover.json >report && jq -rj .signature.value handover.json | xxd -r -p >signature && "
        "{ printf 302a300506032b6570032100; jq -rj .signature.key handover.json; } | xxd -r -p | openssl pkey -pubin "
        "-inform DER -out key.pem && openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in report -sigfile "
        "signature "
        ">/dev/null 2>&1";
    EXPECT_EQ(std::system(script.c_str()), 0);
    EXPECT_NE(std::system((script + " -in /dev/null").c_str()), 0) << "and of other bytes it is none";
}

} // namespace
} // namespace clinic::setup
