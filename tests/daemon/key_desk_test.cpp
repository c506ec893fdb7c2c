// The keys as operators ask for them, on the real store: what opens it, what is refused, and what the audit chain says.
#include "daemon/key_desk.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "crypto/recovery_words.h"
#include "daemon/audit/trail.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"
#include "tests/statements/statements.h"

namespace clinic::daemon {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr const char* why = "the first hour";

crypto::SecureBytes secure(std::string_view text) {
    return crypto::SecureBytes::copy_of(base::as_bytes(text));
}

std::string plain(const crypto::SecureBytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.bytes().data()), bytes.size()};
}

class KeyDeskTest : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(crypto::start());
        put_key('k');
        open();
    }
    void TearDown() override {
        if (store_) statements::expect_known(*store_);
    }

    void put_key(char fill) {
        ASSERT_TRUE(base::write_durable(key_file_, base::as_bytes(std::string(crypto::key_bytes, fill)), 0600));
    }
    Result<std::unique_ptr<records::Store>> open_with(const crypto::KeySlot& slot) {
        return records::Store::open({.folder = folder_ / "records", .make = true}, slot, clock_);
    }
    // As clinicd does at a start: with the machine's key.
    bool open() {
        const auto slot = crypto::KeySlot::from_credential_file(key_file_);
        if (!slot) return false;
        auto opened = open_with(*slot);
        if (!opened) return false;
        store_ = std::move(*opened);
        desk_.opened(*store_);
        commands_ = desk_.of_open(*store_);
        return true;
    }
    void close() {
        statements::expect_known(*store_);
        store_.reset();
        desk_.closed();
        commands_ = desk_.of_closed();
    }

    Result<control::Answer> ask(const char* command, const json& args, std::string_view secret = {}) {
        return commands_.at(command).run({.args = args, .body = {}, .asker = 7, .secret = secure(secret)});
    }
    json data(const char* command, const json& args, std::string_view secret = {}) {
        const auto answer = ask(command, args, secret);
        EXPECT_TRUE(answer) << answer.error().what.c_str();
        return answer ? *answer->data : json{};
    }
    Errc code(const char* command, const json& args, std::string_view secret = {}) {
        const auto answer = ask(command, args, secret);
        EXPECT_FALSE(answer);
        if (answer) return Errc::unknown;
        EXPECT_STRNE(answer.error().remedy.c_str(), "");
        return answer.error().code;
    }
    std::string begin(const char* label = "safe") {
        const auto answer = ask("keys-recovery-begin", {{"reason", why}, {"label", label}});
        EXPECT_TRUE(answer);
        EXPECT_EQ(answer->data->dump().find("abandon"), std::string::npos);
        return answer ? plain(answer->secret) : std::string{};
    }
    std::string with_words() {
        const std::string words = begin();
        EXPECT_EQ(data("keys-recovery-confirm", json::object(), words).at("number"), 2);
        return words;
    }
    // The newest first.
    std::vector<std::string> chain(int links) {
        std::vector<std::string> details;
        const auto read = store_->read([&](records::Snapshot& session) -> Result<void> {
            const auto found = audit::Trail::links_before(session, INT64_MAX, links);
            CLINIC_TRY(found);
            for (const auto& link : *found) details.push_back(link.detail);
            return {};
        });
        EXPECT_TRUE(read);
        return details;
    }
    bool has_event() {
        const auto events = health_.device().events;
        return std::any_of(events.begin(), events.end(), [](const auto& event) { return event.code == "E2018"; });
    }

    fakes::TempFolder folder_;
    fakes::ManualClock clock_;
    health::Health health_{{.box = "clinic-7", .version = "1", .records = folder_.path()}, clock_};
    const std::filesystem::path key_file_ = folder_ / "store.key";
    int tries_ = 0;
    KeyDesk desk_{{.credential = key_file_,
                   .open = [this](const crypto::KeySlot& slot) { return open_with(slot); },
                   .try_now = [this] { ++tries_; }},
                  health_,
                  clock_};
    std::unique_ptr<records::Store> store_;
    control::Commands commands_;
};

TEST_F(KeyDeskTest, WordsCountWhenTheyWereTypedBack) {
    const std::string words = begin();
    EXPECT_EQ(std::ranges::count(words, ' '), 23);
    EXPECT_EQ(data("keys-list", json::object()).size(), 1U);
    EXPECT_EQ(code("keys-recovery-confirm", json::object(), "abandon"), Errc::malformed);
    std::string others = begin("another"); // takes the place of the first
    EXPECT_EQ(code("keys-recovery-confirm", json::object(), words), Errc::refused);
    EXPECT_EQ(data("keys-list", json::object()).size(), 1U);
    std::ranges::transform(others, others.begin(), ::toupper);
    EXPECT_EQ(data("keys-recovery-confirm", json::object(), others).at("number"), 2);
    const json slots = data("keys-list", json::object());
    ASSERT_EQ(slots.size(), 2U);
    EXPECT_EQ(slots[1], (json{{"number", 2},
                              {"kind", "recovery"},
                              {"label", "another"},
                              {"made_at", "2026-11-21T10:00:00Z"},
                              {"in_use", false}}));
    EXPECT_EQ(code("keys-recovery-confirm", json::object(), others), Errc::not_found) << "once";
    EXPECT_THAT(chain(3), ElementsAre("keys_list", "keys_recovery_add the first hour", "keys_list"));
}

TEST_F(KeyDeskTest, WordsThatNobodyTypedBackAreForgotten) {
    const std::string words = begin();
    clock_.advance(31min);
    EXPECT_EQ(code("keys-recovery-confirm", json::object(), words), Errc::not_found);
    EXPECT_EQ(data("keys-list", json::object()).size(), 1U);
}

TEST_F(KeyDeskTest, EachChangeNeedsAReasonAndAnOrdinaryLabel) {
    for (const char* command : {"keys-recovery-begin", "keys-passphrase", "keys-remove"})
        EXPECT_EQ(code(command, {{"number", 1}}, "correct horse battery"), Errc::refused) << command;
    EXPECT_EQ(code("keys-recovery-begin", {{"reason", why}, {"label", std::string(33, 'x')}}), Errc::malformed);
    EXPECT_EQ(code("keys-recovery-begin", {{"reason", why}, {"label", "two\nlines"}}), Errc::malformed);
    EXPECT_EQ(code("keys-passphrase", {{"reason", why}}, "too short"), Errc::malformed);
    EXPECT_THAT(chain(1), ElementsAre()) << "nothing was done, so nothing is told";
}

TEST_F(KeyDeskTest, TellsWhichSlotOpensAndSlowsWhoGuesses) {
    const std::string words = with_words();
    EXPECT_EQ(data("keys-verify", json::object(), words).at("number"), 2);
    const std::string wrong = plain(crypto::words_of(crypto::SecureBytes::zeroed(32)));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(code("keys-verify", json::object(), wrong), Errc::locked);
    EXPECT_TRUE(has_event());
    EXPECT_EQ(code("keys-verify", json::object(), words), Errc::throttled) << "right ones wait as well";
    EXPECT_THAT(chain(4),
                ElementsAre("keys_guessed_wrong 1", "keys_guessed_wrong 1", "keys_guessed_wrong 1", "keys_verify 2"));
    clock_.advance(2s);
    EXPECT_EQ(code("keys-verify", json::object(), wrong), Errc::locked);
    clock_.advance(2s);
    EXPECT_EQ(code("keys-verify", json::object(), words), Errc::throttled) << "each wait is longer";
    clock_.advance(2s);
    EXPECT_EQ(data("keys-verify", json::object(), words).at("number"), 2);
    EXPECT_EQ(code("keys-verify", json::object(), wrong), Errc::locked) << "and it begins anew";
    EXPECT_EQ(data("keys-verify", json::object(), words).at("number"), 2);
}

TEST_F(KeyDeskTest, TheMachinesSlotGoesOnlyWithTheWordAndTheLastOneNever) {
    EXPECT_EQ(code("keys-remove", {{"number", 1}, {"reason", why}, {"word", "stays-locked"}}), Errc::refused);
    const std::string words = with_words();
    EXPECT_EQ(code("keys-remove", {{"number", 1}, {"reason", why}}), Errc::refused);
    EXPECT_EQ(code("keys-remove", {{"number", 1}, {"reason", why}, {"word", "yes"}}), Errc::malformed);
    EXPECT_EQ(code("keys-remove", {{"number", 9}, {"reason", why}}), Errc::not_found);
    EXPECT_THAT(chain(1), ElementsAre("keys_recovery_add the first hour")) << "what is refused is no change";
    EXPECT_EQ(code("keys-remove", {{"number", 2}, {"reason", why}}), Errc::refused) << "nor the last of a person";
    data("keys-remove", {{"number", 1}, {"reason", why}, {"word", "stays-locked"}});
    EXPECT_THAT(chain(1), ElementsAre("keys_remove 1: the first hour"));
    close();
    EXPECT_FALSE(open());
    data("keys-recover", {{"reason", why}}, words);
    EXPECT_TRUE(open());
}

TEST_F(KeyDeskTest, RecoversWithWordsOnceTheMachineHasAKeyAndSaysSoInTheChain) {
    const std::string words = with_words();
    EXPECT_EQ(code("keys-recover", {{"reason", why}}, words), Errc::refused) << "they are open";
    close();
    std::filesystem::remove(key_file_);
    EXPECT_FALSE(open());
    EXPECT_EQ(code("keys-recover", {{"reason", why}, {"look", true}}), Errc::not_found);
    EXPECT_EQ(code("keys-recover", {{"reason", why}}, words), Errc::not_found) << "no key to make a slot for";
    put_key('n');
    EXPECT_FALSE(open());
    data("keys-recover", {{"reason", why}, {"look", true}});
    EXPECT_EQ(code("keys-recover", json::object(), words), Errc::refused) << "no reason";
    const std::string wrong = plain(crypto::words_of(crypto::SecureBytes::zeroed(32)));
    EXPECT_EQ(code("keys-recover", {{"reason", why}}, wrong), Errc::locked);
    EXPECT_EQ(tries_, 0);
    EXPECT_EQ(data("keys-recover", {{"reason", why}}, words).at("number"), 3);
    EXPECT_EQ(tries_, 1);
    ASSERT_TRUE(open());
    EXPECT_THAT(chain(2), ElementsAre("keys_guessed_wrong 1", "keys_recover the first hour"));
    close();
    EXPECT_TRUE(open()) << "by itself from now on";
    EXPECT_EQ(data("keys-list", json::object()).size(), 3U);
}

TEST_F(KeyDeskTest, RecoversWithThePassphrase) {
    EXPECT_EQ(data("keys-passphrase", {{"reason", why}}, "correct horse battery").at("number"), 2);
    EXPECT_EQ(data("keys-verify", {{"kind", "passphrase"}}, "correct horse battery").at("number"), 2);
    close();
    put_key('n');
    EXPECT_EQ(code("keys-recover", {{"reason", why}, {"kind", "passphrase"}}, "wrong horse battery"), Errc::locked);
    EXPECT_EQ(data("keys-recover", {{"reason", why}, {"kind", "passphrase"}}, "correct horse battery").at("number"), 3);
    EXPECT_TRUE(open());
}

} // namespace
} // namespace clinic::daemon
