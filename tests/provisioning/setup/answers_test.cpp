// A file of answers, field by field: what is missing, unknown or wrong is named with its path, and nothing is taken.
#include "provisioning/setup/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "crypto/base/files.h"
#include "provisioning/setup/words_file.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::setup {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const std::string certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

class AnswersFile : public testing::Test {
protected:
    AnswersFile() {
        secret("token");
        secret("key");
        secret("phrase");
        std::ofstream{folder / "ca.pem"} << certificate;
        std::ofstream{folder / "paper"} << "signed\n";
    }
    void secret(const char* name) {
        std::ofstream{folder / name} << "secret\n";
        std::filesystem::permissions(folder / name, std::filesystem::perms{0600});
    }
    std::string at(const char* name) const { return (folder / name).string(); }
    json right() const {
        return {{"v", 1},
                {"organization", "Group"},
                {"clinic", "Street"},
                {"box", "clinic-7"},
                {"zone", "UTC"},
                {"ghl",
                 {{"base", "https://ghl.example"},
                  {"location", "Location1"},
                  {"token_file", at("token")},
                  {"fields",
                   {{"pid", "f1"},
                    {"stage", "f2"},
                    {"last", "f3"},
                    {"next", "f4"},
                    {"appt_status", "f5"},
                    {"appt_when", "f6"}}}}},
                {"ops",
                 {{"host", "ops.example"},
                  {"ca_file", at("ca.pem")},
                  {"certificate_file", at("ca.pem")},
                  {"key_file", at("key")}}},
                {"template", "medical"},
                {"basis", {{"mode", "baa"}, {"evidence_file", at("paper")}, {"expires", "2030-12-31"}}},
                {"keys", {{"recovery_words_file", at("words")}, {"passphrase_file", nullptr}}},
                {"feeds", json::array({{{"name", "pms"}, {"addresses", {"10.0.0.7"}}}})}};
    }
    std::optional<Answers> read(const json& answers, Faults& faults) {
        std::ofstream{folder / "answers.json"} << answers.dump();
        return read_answers(folder / "answers.json", CLINIC_SOURCE_DIR "/packaging/templates", mark, faults);
    }
    std::string faults_of(const json& answers) {
        Faults faults;
        EXPECT_FALSE(read(answers, faults));
        std::string all;
        for (const auto& one : faults) all += one + "\n";
        return all;
    }

    fakes::TempFolder folder;
    std::optional<std::string> mark = ""; // of words that the setup wrote; nullopt: it writes none
};

TEST_F(AnswersFile, IsTakenWhole) {
    Faults faults;
    const auto taken = read(right(), faults);
    ASSERT_TRUE(taken) << testing::PrintToString(faults);
    EXPECT_EQ(taken->claim.box, "clinic-7");
    EXPECT_FALSE(taken->claim.ghl.tag_prefix) << "what the box has, where the answers say nothing";
    EXPECT_EQ(taken->claim.ops->port, 8'883);
    EXPECT_EQ(taken->terms.unlinked, "park") << "the template's, where the answers say nothing";
    EXPECT_EQ(taken->keys.words_file, folder / "words");
    EXPECT_FALSE(taken->keys.passphrase_file);
    EXPECT_EQ(taken->feeds.wait_s, 0);
}

// Each field in turn, at every depth: taken away it is missing, under another name it is unknown.
TEST_F(AnswersFile, NoFieldCanBeLeftOutOrMisspelt) {
    const auto needed = {"/v",
                         "/organization",
                         "/clinic",
                         "/box",
                         "/zone",
                         "/ghl",
                         "/ghl/base",
                         "/ghl/location",
                         "/ghl/token_file",
                         "/ghl/fields/pid",
                         "/ghl/fields/appt_when",
                         "/ops",
                         "/ops/host",
                         "/ops/ca_file",
                         "/ops/certificate_file",
                         "/ops/key_file",
                         "/template",
                         "/basis",
                         "/basis/mode",
                         "/keys",
                         "/keys/recovery_words_file",
                         "/keys/passphrase_file",
                         "/feeds",
                         "/feeds/0/name"};
    for (const char* field : needed) {
        json wrong = right();
        const json::json_pointer place{field};
        const std::string name = place.back();
        const json value = wrong.at(place);
        wrong.at(place.parent_pointer()).erase(name);
        wrong[place.parent_pointer()]["x" + name] = value;
        const auto faults = faults_of(wrong);
        EXPECT_THAT(faults, HasSubstr(name + " is missing")) << field;
        EXPECT_THAT(faults, HasSubstr("x" + name + " is unknown")) << field;
    }
}

TEST_F(AnswersFile, AllFaultsAreNamedAtOnce) {
    json wrong = right();
    wrong["ghl"]["base"] = "http://ghl.example";
    wrong["ghl"]["fields"]["stage"] = "f1";
    wrong["zone"] = "Mars/Base";
    wrong["basis"].erase("expires");
    wrong["feeds"].push_back({{"name", "pms"}, {"addresses", {"10.0.0.8"}}});
    wrong["feeds"].push_back({{"name", "Lab 1"}});
    wrong["feeds_wait_s"] = -1;
    const auto faults = faults_of(wrong);
    for (const char* one :
         {"ghl.base is not https://", "ghl.fields.stage is the id of another field", "zone is not a zone",
          "basis.mode is baa, which needs", "feeds[1].name is another sender's", "feeds[2].name has letters",
          "feeds[2].addresses is missing", "feeds_wait_s is not a whole number"})
        EXPECT_THAT(faults, HasSubstr(one));
}

TEST_F(AnswersFile, SecretsAreTheirOwnersAlone) {
    std::filesystem::permissions(folder / "token", std::filesystem::perms{0640});
    EXPECT_THAT(faults_of(right()), HasSubstr("ghl.token_file may be read by others: chmod 0600 it"));
    std::filesystem::remove(folder / "token");
    std::filesystem::create_symlink(folder / "key", folder / "token");
    EXPECT_THAT(faults_of(right()), HasSubstr("ghl.token_file is not a file"));
    std::filesystem::remove(folder / "token");
    EXPECT_THAT(faults_of(right()), HasSubstr("ghl.token_file cannot be read"));
    json wrong = right();
    wrong["keys"]["passphrase_file"] = "phrase";
    EXPECT_THAT(faults_of(wrong), HasSubstr("keys.passphrase_file is not a path from / on"));
}

// Certificates are open to everybody: a file with the key beside them is none of them.
TEST_F(AnswersFile, NoFileOfCertificatesHasAKeyInIt) {
    for (const char* kind : {"PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"}) {
        const std::string mark = kind;
        std::ofstream{folder / "ca.pem"} << certificate
                                         << "-----BEGIN " + mark + "-----\nMIIE\n-----END " + mark + "-----\n";
        const auto faults = faults_of(right());
        EXPECT_THAT(faults, HasSubstr("ops.certificate_file has a private key in it")) << kind;
        EXPECT_THAT(faults, HasSubstr("ops.ca_file has a private key in it")) << kind;
    }
    std::ofstream{folder / "ca.pem"} << "-----BEGIN CERTIFICATE-----\nMIIB\n";
    EXPECT_THAT(faults_of(right()), HasSubstr("ops.ca_file is no certificate in PEM")) << "half of one";
}

// A fleet's answers name the same file for each clinic: the words of the one before are not written over.
TEST_F(AnswersFile, WordsThatAreThereAreNotWrittenOver) {
    const std::string there = "keys.recovery_words_file is there already";
    std::ofstream{folder / "words"} << "another clinic's";
    EXPECT_THAT(faults_of(right()), HasSubstr(there));
    mark = mark_of(base::as_bytes("words of this box"));
    EXPECT_THAT(faults_of(right()), HasSubstr(there)) << "a cut before they were written";
    std::filesystem::remove(folder / "words");
    std::filesystem::create_symlink(folder / "nowhere", folder / "words");
    EXPECT_THAT(faults_of(right()), HasSubstr(there));
    std::filesystem::remove(folder / "words");

    Faults faults;
    EXPECT_TRUE(read(right(), faults)) << "nothing lies there";
    std::ofstream{folder / "words"} << "words of this box";
    EXPECT_TRUE(read(right(), faults)) << "its own, after a cut behind them";
    std::ofstream{folder / "words"} << "another clinic's";
    mark.reset();
    EXPECT_TRUE(read(right(), faults)) << "they were made before, and none are written now";
    json elsewhere = right();
    elsewhere["keys"]["recovery_words_file"] = at("no/words");
    mark = "";
    EXPECT_THAT(faults_of(elsewhere), HasSubstr("keys.recovery_words_file is in a folder that is not there"));
}

TEST_F(AnswersFile, WhatIsNoJsonIsRefused) {
    for (const char* text : {"", "[]", "{", "{\"v\":1,\"v\":1}", "{\"v\":1} x"}) {
        std::ofstream{folder / "answers.json"} << text;
        Faults faults;
        EXPECT_FALSE(read_answers(folder / "answers.json", CLINIC_SOURCE_DIR "/packaging/templates", "", faults))
            << text;
        EXPECT_FALSE(faults.empty());
    }
}

} // namespace
} // namespace clinic::setup
