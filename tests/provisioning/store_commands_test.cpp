// What `clinicctl store` ends with, as docs/clinicctl.md has it: 0 fine, 1 cannot be done, 2 wrong words, 3 damage.
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "crypto/octets.h"
#include "crypto/seal.h"
#include "crypto/superblock.h"
#include "provisioning/commands.h"
#include "tests/daemon/records/salvage/salvage_fixture.h"

namespace clinic::provisioning {
namespace {

using testing::HasSubstr;

constexpr int fine = 0, cannot = 1, wrong_words = 2, damaged = 3;

struct Ended {
    int exit;
    std::string out, err;
};

class StoreCommands : public salvage::SalvageTest {
protected:
    void SetUp() override {
        SalvageTest::SetUp();
        put(folder_ / "store.key", std::string(crypto::key_bytes, 'k'));
        put(folder_ / "other.key", std::string(crypto::key_bytes, 'o'));
    }
    Ended inspect(const std::string& credential) const {
        return run_store({"inspect", "--records", old().string(), "--credential", credential, "--json"});
    }
    static Ended run_store(std::vector<std::string> words) {
        words.insert(words.begin(), "store");
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        const int exit = run(words);
        std::string out = testing::internal::GetCapturedStdout();
        return {exit, std::move(out), testing::internal::GetCapturedStderr()};
    }
    std::string key(const char* name = "store.key") const { return (folder_ / name).string(); }
    Ended check(const std::string& credential) const {
        return run_store({"check", "--records", old().string(), "--credential", credential, "--json"});
    }
    Ended salvage_into(const std::filesystem::path& to, const std::string& credential) const {
        return run_store(
            {"salvage", "--records", old().string(), "--credential", credential, "--to", to.string(), "--json"});
    }
    // Says why and what helps, and nothing of a person.
    static void expect_reason(const Ended& ended, const char* reason) {
        EXPECT_EQ(ended.exit, cannot) << ended.out;
        EXPECT_EQ(ended.out, "");
        EXPECT_THAT(ended.err, HasSubstr(reason));
        EXPECT_THAT(ended.err, HasSubstr("clinicctl: "));
    }
};

TEST_F(StoreCommands, ASoundStoreIsFineAndAllOfItIsSaved) {
    EXPECT_EQ(run_store({"inspect", "--records", old().string()}).exit, fine);
    const auto inspected = inspect(key());
    EXPECT_EQ(inspected.exit, fine) << inspected.err;
    EXPECT_EQ(nlohmann::json::parse(inspected.out).at("opened_slot"), 1);
    const auto checked = check(key());
    EXPECT_EQ(checked.exit, fine) << checked.out << checked.err;
    EXPECT_TRUE(nlohmann::json::parse(checked.out).at("sound"));
    const auto salvaged = salvage_into(saved(), key());
    EXPECT_EQ(salvaged.exit, fine) << salvaged.out << salvaged.err;
    EXPECT_TRUE(nlohmann::json::parse(salvaged.out).at("complete"));
}

TEST_F(StoreCommands, ALostPageOfATableIsDamageAndWhatIsLeftIsSaved) {
    damage(root_of("raw_message"));
    const auto checked = check(key());
    EXPECT_EQ(checked.exit, damaged) << checked.err;
    EXPECT_EQ(nlohmann::json::parse(checked.out).at("damaged_pages").at(0).at("of"), "raw_message");
    const auto salvaged = salvage_into(saved(), key());
    EXPECT_EQ(salvaged.exit, damaged) << salvaged.err;
    EXPECT_FALSE(nlohmann::json::parse(salvaged.out).at("complete"));
    EXPECT_EQ(run_store({"check", "--records", saved().string(), "--credential", key()}).exit, fine)
        << "the new store is sound, whatever the old one was";
}

TEST_F(StoreCommands, ARecordOfWhatWasSetAsideThatDoesNotOpenIsDamage) {
    damage(root_of("raw_message"));
    ASSERT_EQ(salvage_into(saved(), key()).exit, damaged);
    flip(saved() / salvage::aside_file, 60);
    const auto said = run_store({"check", "--records", saved().string(), "--credential", key()});
    EXPECT_EQ(said.exit, damaged);
    EXPECT_THAT(said.out, HasSubstr("salvage.sealed"));
    EXPECT_THAT(said.out, testing::Not(HasSubstr("clinicctl store salvage"))) << "a salvage would bring nothing back";
    const auto checked = run_store({"check", "--records", saved().string(), "--credential", key(), "--json"});
    EXPECT_EQ(checked.exit, damaged);
    const auto facts = nlohmann::json::parse(checked.out);
    EXPECT_FALSE(facts.at("sound"));
    EXPECT_TRUE(facts.at("salvage_record_damaged"));
    EXPECT_FALSE(facts.at("needs_salvage"));
}

TEST_F(StoreCommands, LinksOfTheAuditChainThatAreNotThereAreDamage) {
    records::RawDatabase{old(), records::slot_of('k')}.run(
        "DROP TRIGGER audit_link_is_kept; DELETE FROM audit_link WHERE number > 200");
    const auto checked = check(key());
    EXPECT_EQ(checked.exit, damaged) << checked.out;
    EXPECT_TRUE(nlohmann::json::parse(checked.out).at("missing_links").at(0).at("said_by").is_null());
    EXPECT_EQ(salvage_into(saved(), key()).exit, damaged);
    EXPECT_EQ(run_store({"check", "--records", saved().string(), "--credential", key()}).exit, fine)
        << "the new chain says which are missing";
}

TEST_F(StoreCommands, ADamagedSuperblockIsDamageToWhoOnlyLooks) {
    std::fstream{old() / "records.db", std::ios::in | std::ios::out | std::ios::binary}
        .seekp(4'096 + 100)
        .write("lost", 4);
    for (const auto& ended : {run_store({"inspect", "--records", old().string()}), inspect(key()), check(key())})
        EXPECT_EQ(ended.exit, damaged) << ended.out << ended.err;
}

// As a later version would leave it: what follows the version is its own, and checksum and MAC are right.
class NewerStore : public StoreCommands {
protected:
    // The superblock in use, as it is with `change`; the other stays, of this version.
    void rewrite(const std::function<void(crypto::Superblock&)>& change) const {
        std::array<std::byte, crypto::main_head_bytes> head{};
        std::fstream file{database(), std::ios::in | std::ios::out | std::ios::binary};
        file.read(reinterpret_cast<char*>(head.data()), head.size());
        auto opened = crypto::open_superblocks(head, records::slot_of('k'));
        ASSERT_TRUE(opened) << opened.error().what.c_str();
        change(opened->superblock);
        const auto image = crypto::make_superblock(opened->superblock, opened->store_key);
        file.seekp(static_cast<std::streamoff>(opened->used * crypto::superblock_bytes));
        file.write(reinterpret_cast<const char*>(image.data()), image.size());
    }
    void SetUp() override {
        StoreCommands::SetUp();
        rewrite([](crypto::Superblock& one) { one.version = 3; });
        before_ = content(database());
    }
    void TearDown() override {
        EXPECT_EQ(content(database()), before_);
        StoreCommands::TearDown();
    }
    std::string before_;
};

TEST_F(NewerStore, IsNamedToWhoOnlyLooksAndItsSlotsAreNotRead) {
    for (const auto& ended : {run_store({"inspect", "--records", old().string(), "--json"}), inspect(key())}) {
        EXPECT_EQ(ended.exit, cannot);
        EXPECT_THAT(ended.err, HasSubstr("newer format"));
        const auto facts = nlohmann::json::parse(ended.out);
        EXPECT_EQ(facts.at("format"), 3);
        EXPECT_FALSE(facts.at("whole"));
        EXPECT_FALSE(facts.contains("slots"));
        EXPECT_GT(facts.at("database").at("bytes"), 0);
        EXPECT_GT(facts.at("keystore").at("bytes"), 0);
    }
    const auto said = run_store({"inspect", "--records", old().string()});
    EXPECT_EQ(said.exit, cannot);
    EXPECT_THAT(said.out, HasSubstr("3, not read by this program"));
    EXPECT_THAT(said.out, testing::Not(HasSubstr("Key slot")));
}

TEST_F(NewerStore, IsNotChecked) {
    expect_reason(check(key()), "newer format");
}

TEST_F(NewerStore, IsNotSalvaged) {
    expect_reason(salvage_into(saved(), key()), "newer format");
    EXPECT_FALSE(std::filesystem::exists(saved()));
}

TEST_F(StoreCommands, ACipherThatIsNotKnownIsNamed) {
    auto bytes = content(database());
    const auto all = std::as_writable_bytes(std::span{bytes});
    for (std::size_t i = 0; i < crypto::superblocks; ++i) {
        const auto block = all.subspan(i * crypto::superblock_bytes, crypto::superblock_bytes);
        crypto::put_number(block.subspan(crypto::superblock_at::cipher), std::uint32_t{99});
        std::ranges::copy(crypto::digest(block.first(crypto::superblock_at::checksum)),
                          block.subspan(crypto::superblock_at::checksum).begin());
    }
    put(database(), bytes);
    const auto inspected = inspect(key());
    EXPECT_EQ(inspected.exit, cannot);
    EXPECT_THAT(inspected.err, HasSubstr("cipher that this program does not know"));
    EXPECT_FALSE(nlohmann::json::parse(inspected.out).contains("slots"));
    expect_reason(check(key()), "cipher");
    expect_reason(salvage_into(saved(), key()), "cipher");
}

TEST_F(StoreCommands, WhatCannotBeDoneSaysWhy) {
    const auto strange = inspect(key("other.key"));
    EXPECT_EQ(strange.exit, cannot);
    EXPECT_THAT(strange.err, HasSubstr("key"));
    EXPECT_TRUE(nlohmann::json::parse(strange.out).at("opened_slot").is_null())
        << "what the files say is said all the same";
    expect_reason(check(key("other.key")), "key");
    expect_reason(check((folder_ / "nowhere").string()), "key");
    expect_reason(run_store({"check", "--records", (folder_ / "nowhere").string(), "--credential", key()}), "; ");
    std::filesystem::create_directory(saved());
    put(saved() / "something", "else");
    expect_reason(salvage_into(saved(), key()), "empty");
    expect_reason(salvage_into(folder_ / "elsewhere", key("other.key")), "key");
    EXPECT_FALSE(std::filesystem::exists(folder_ / "elsewhere"));
    std::filesystem::rename(keys(), keys().string() + ".away");
    expect_reason(salvage_into(folder_ / "elsewhere", key()), "keys.db");
}

TEST_F(StoreCommands, AKeystoresDamagedHeaderIsMendedByAStart) {
    flip(keys(), 100);
    const auto said = run_store({"check", "--records", old().string(), "--credential", key()});
    EXPECT_EQ(said.exit, damaged);
    EXPECT_THAT(said.out, HasSubstr("the keystore's header is damaged: the next start of clinicd writes it anew"));
    EXPECT_THAT(said.out, testing::Not(HasSubstr("store salvage")));
    reopen();
    store_.reset();
    EXPECT_EQ(check(key()).exit, fine);
}

TEST_F(StoreCommands, KeysAreMendedFromACopyInPlace) {
    constexpr auto slot_at = [](std::int64_t slot) { return crypto::key_slot_offset(slot) + 30; };
    const auto copy = folder_ / "copy.db";
    std::filesystem::copy_file(keys(), copy);
    flip(keys(), slot_at(7)), flip(keys(), slot_at(8)), flip(copy, slot_at(8));
    const auto mend = [&](const std::filesystem::path& from) {
        return run_store(
            {"mend-keys", "--records", old().string(), "--credential", key(), "--from", from.string(), "--json"});
    };
    const auto said = run_store({"check", "--records", old().string(), "--credential", key()});
    EXPECT_EQ(said.exit, damaged);
    EXPECT_THAT(said.out, HasSubstr("clinicctl store mend-keys"));
    const auto once = mend(copy);
    EXPECT_EQ(once.exit, damaged) << once.err;
    EXPECT_EQ(nlohmann::json::parse(once.out), (nlohmann::json{{"mended", 1}, {"damaged", 1}}));
    flip(copy, slot_at(8));
    const auto again = mend(copy);
    EXPECT_EQ(again.exit, fine) << again.err;
    EXPECT_EQ(nlohmann::json::parse(again.out), (nlohmann::json{{"mended", 1}, {"damaged", 0}}));
    EXPECT_EQ(check(key()).exit, fine);
    expect_reason(mend(folder_ / "nowhere"), "clinicctl: ");
    reopen();
    expect_reason(mend(copy), "clinicd");
}

TEST_F(StoreCommands, NothingIsDoneWhileSomebodyHasTheStoreOpen) {
    reopen();
    for (const auto& ended : {run_store({"inspect", "--records", old().string()}), inspect(key()), check(key()),
                              salvage_into(saved(), key())})
        expect_reason(ended, "clinicd");
    store_.reset();
    EXPECT_EQ(check(key()).exit, fine);
}

TEST_F(StoreCommands, WrongWordsAreRefusedBeforeAnythingIsLookedAt) {
    const auto there = old().string();
    for (const auto& words :
         std::vector<std::vector<std::string>>{{"check"},
                                               {"check", "--records", there},
                                               {"check", "--credential", key()},
                                               {"check", "--records", there, "--to", "x"},
                                               {"inspect"},
                                               {"salvage", "--records", there, "--credential", key()},
                                               {"salvage", "--to", saved().string()},
                                               {"mend-keys", "--records", there, "--credential", key()},
                                               {"mend"}}) {
        const auto ended = run_store(words);
        EXPECT_EQ(ended.exit, wrong_words) << words[0] << ended.out << ended.err;
        EXPECT_NE(ended.err, "");
    }
    EXPECT_FALSE(std::filesystem::exists(saved()));
}

} // namespace
} // namespace clinic::provisioning
