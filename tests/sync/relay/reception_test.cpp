#include "sync/relay/reception.h"

#include <gtest/gtest.h>

#include "crypto/secure_bytes.h"
#include "tests/fakes/manual_clock.h"
#include "tests/sync/relay/signed.h"

namespace clinic::relay {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

// Without a broker: what gets as far as it is held up. What is published is the fleet's to show (tests/e2e/relay).
class WebhookReception : public testing::Test {
protected:
    WebhookReception() { EXPECT_TRUE(crypto::start()); }
    Verdict take(const json& webhook, const std::string& sent_as = {}) {
        const std::string body = sent_as.empty() ? webhook.dump() : sent_as;
        return reception.take(test::head({{"X-GHL-Signature", key.sign(body)}}), body);
    }
    static ReceptionOptions options() {
        return {.app = test::app, .boxes = {{test::location, {"demo-1", test::rules()}}}};
    }
    const test::Signer key = test::Signer::ed25519();
    fakes::ManualClock clock;
    Publisher publisher{{.broker = {}, .name = "r1"}};
    Reception reception{options(), *Signature::make({key.public_key(), "", {}}), publisher, clock};
};

TEST_F(WebhookReception, LooksAtNothingBeforeTheSignatureHolds) {
    const std::string body = test::contact().dump();
    EXPECT_EQ(reception.take(test::head({}), body), Verdict::unsigned_);
    EXPECT_EQ(reception.take(test::head({{"X-GHL-Signature", "N/A"}}), "no JSON at all"), Verdict::unsigned_);
    EXPECT_EQ(take({}, "no JSON at all"), Verdict::unreadable);
}

TEST_F(WebhookReception, IsForOurAppAndOurLocationsAlone) {
    json other = test::contact();
    other["appId"] = "CEapp000000000000002";
    EXPECT_EQ(take(other), Verdict::not_ours);
    other.erase("appId");
    EXPECT_EQ(take(other), Verdict::not_ours);
    json elsewhere = test::contact();
    elsewhere["locationId"] = "CEotherLocation00001";
    EXPECT_EQ(take(elsewhere), Verdict::not_ours);
}

TEST_F(WebhookReception, CountsForItsWindowAlone) {
    EXPECT_EQ(take(test::contact()), Verdict::held_up);
    clock.advance(89min);
    EXPECT_EQ(take(test::contact()), Verdict::held_up);
    clock.advance(2min);
    EXPECT_EQ(take(test::contact()), Verdict::stale);
    clock.set({1'795'255'198'000'000 - 301'000'000});
    EXPECT_EQ(take(test::contact()), Verdict::stale);
    json timeless = test::contact();
    timeless.erase("timestamp");
    EXPECT_EQ(take(timeless), Verdict::stale);
}

TEST_F(WebhookReception, SaysAtOnceThatItIsHeldUpAndTakesTheSameAgain) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(take(test::contact()), Verdict::held_up);
    EXPECT_EQ(status_of(Verdict::held_up), 429);
    EXPECT_EQ(reception.replays().size(), 0U);
    EXPECT_EQ(reception.counts().at(static_cast<std::size_t>(Verdict::held_up)), 3);
}

TEST_F(WebhookReception, AsksNobodyForWhatBoxesAreNotTold) {
    json note = test::contact();
    note["type"] = "NoteCreate";
    EXPECT_EQ(take(note), Verdict::not_told);
    json nameless = test::contact();
    nameless.erase("id");
    EXPECT_EQ(take(nameless), Verdict::incomplete);
    EXPECT_EQ(status_of(Verdict::not_told), 200);
    EXPECT_EQ(status_of(Verdict::incomplete), 200);
}

TEST_F(WebhookReception, AnswersTryAgainOnlyWhereThatHelps) {
    for (std::size_t i = 0; i < verdict_count; ++i) {
        const auto verdict = static_cast<Verdict>(i);
        EXPECT_EQ(status_of(verdict) == 429, verdict == Verdict::under_way || verdict == Verdict::held_up) << i;
    }
}

} // namespace
} // namespace clinic::relay
