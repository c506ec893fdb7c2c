// The manifest and the contents hold each other; and what cannot be had is named in its place.
#include "provisioning/bundle/bundle.h"

#include <gmock/gmock.h>

#include <fstream>
#include <set>

#include "crypto/secure_bytes.h"
#include "provisioning/bundle/contents.h"
#include "provisioning/check/table.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::bundle {
namespace {

using nlohmann::json;
using testing::ElementsAre;

const Heading heading{.version = "0.1.0", .made = {1'795'255'200'000'000}, .audited = true};
const std::vector<Item> items{{"about", "this program", "nothing that somebody wrote", "{\"a\":1}\n"},
                              {"status", "clinicd", "counts", {}, "clinicd does not answer"},
                              {"checks", "clinicctl", "ids", "{}\n"}};

TEST(Bundle, OpensAsItWasMade) {
    const auto packed = pack(heading, items);
    ASSERT_TRUE(packed);
    EXPECT_EQ(*pack(heading, items), *packed) << "in one order, always";
    const auto opened = unpack(*packed);
    ASSERT_TRUE(opened) << opened.error().what.c_str();
    EXPECT_THAT(opened->contents, ElementsAre(std::pair{"about", "{\"a\":1}\n"}, std::pair{"checks", "{}\n"}));
    EXPECT_EQ(opened->manifest, manifest(heading, items));
    EXPECT_EQ(opened->manifest.at("made"), "2026-11-21T10:00:00Z");
    EXPECT_EQ(opened->manifest.at("contents")[1],
              json::parse(R"({"id":"status","source":"clinicd","safe":"counts","missing":"clinicd does not answer"})"));
}

TEST(Bundle, AnyByteThatIsAnotherIsSeen) {
    const auto packed = *pack(heading, items);
    const auto begin = packed.find('\n') + 1;
    for (std::size_t at = begin; at < packed.size(); ++at) {
        auto changed = packed;
        changed[at] ^= 1;
        const auto opened = unpack(changed);
        ASSERT_FALSE(opened) << at;
        EXPECT_EQ(opened.error().code, Errc::tampered);
    }
    EXPECT_EQ(unpack(packed + "x").error().code, Errc::tampered);
    EXPECT_EQ(unpack(packed.substr(0, packed.size() - 1)).error().code, Errc::tampered);
}

TEST(Bundle, WhatIsNoneIsSaidToBeNone) {
    for (
        const std::string text :
        {"", "a letter", "{}\n", "[1]\n", "{\"kind\":\"clinic-edge bundle\"}",
         R"({"kind":"clinic-edge bundle","v":1,"contents":[{"id":"../etc"}]})"
         "\n",
         R"({"kind":3,"v":1,"contents":[]})"
         "\n",
         R"({"kind":"clinic-edge bundle","v":1,"contents":{"a":1}})"
         "\n",
         R"({"kind":"clinic-edge bundle","v":1,"contents":[{"id":1,"source":"a","safe":"b"}]})"
         "\n",
         R"({"kind":"clinic-edge bundle","v":1,"contents":[{"id":"a","source":"a","safe":"b","bytes":"3","blake2b":""}]})"
         "\n",
         R"({"kind":"clinic-edge bundle","v":1,"contents":[{"id":"a","source":"a","safe":"b","bytes":-1,"blake2b":""}]})"
         "\n",
         R"({"kind":"clinic-edge bundle","v":1,"contents":[{"id":"a","source":"\u001b[2J","safe":"b","missing":"c"}]})"
         "\n",
         R"({"kind":"clinic-edge bundle","v":1,"contents":[3]})"
         "\n"})
        EXPECT_EQ(unpack(text).error().code, Errc::malformed) << text;
    EXPECT_EQ(unpack("{\"kind\":\"clinic-edge bundle\",\"v\":2}\n").error().code, Errc::newer);
}

TEST(Bundle, HasABound) {
    EXPECT_EQ(pack(heading, {{"about", "", "", std::string(item_bytes_max + 1, 'x')}}).error().code, Errc::full);
    const std::vector<Item> many(9, {"about", "", "", std::string(item_bytes_max, 'x')});
    EXPECT_EQ(pack(heading, many).error().code, Errc::full);
}

// A machine on which nothing answers, and settings with a name in each text.
TEST(Contents, AreAllThereOrSaidToBeMissing) {
    ASSERT_TRUE(crypto::start());
    const fakes::TempFolder folder;
    const auto settings = folder / "clinicd.json";
    std::ofstream{settings}
        << R"({"box":"zaphod-box","zone":"UTC","records":"/zaphod","peer":"zaphod","operators":["zaphod"],
        "console":{"names":["zaphod.local"],"key":"/zaphod"},"mllp":{"allow":["zaphod"],"message_bytes_max":70000},
        "ghl":{"location":"zaphod"},"zaphod":1,"support":{"key":"zaphod"}})";
    check::Site site;
    site.root = folder.path();
    site.control = site.sync = site.syncd_settings = folder / "nothing";
    site.clinicd_settings = settings;
    site.bus = "unix:path=" + (folder / "nothing").string();
    site.version = "0.1.0";
    Sources sources{.scene = std::make_shared<const check::Scene>(std::move(site)), .journal = folder.path()};
    sources.checks = check::run(check::table(), sources.scene);
    const auto gathered = gather(sources);
    std::vector<std::string> ids;
    for (const auto& item : gathered) {
        ids.emplace_back(item.id.c_str());
        EXPECT_NE(item.body.empty(), *item.missing.c_str() == '\0') << item.id.c_str();
        EXPECT_GT(std::string_view{item.safe.c_str()}.size(), 10U) << item.id.c_str();
        EXPECT_EQ(item.body.find("zaphod"), std::string::npos) << item.body;
    }
    EXPECT_THAT(ids, ElementsAre("about", "status", "metrics", "checks", "containment", "settings", "units", "packages",
                                 "journal"));
    EXPECT_STREQ(gathered[1].missing.c_str(), "clinicd does not answer");
    const auto told = json::parse(gathered[5].body);
    EXPECT_EQ(told.at("clinicd").at("mllp.message_bytes_max"), 70'000);
    EXPECT_EQ(told.at("clinicd").at("operators"), json({{"entries", 1}}));
    EXPECT_EQ(told.at("clinicd").at("ghl.location"), "there");
    EXPECT_TRUE(told.at("clinicd").at("mllp.tls.key").is_null());
    EXPECT_EQ(told.at("clinic-syncd"), "not_found");
    EXPECT_TRUE(unpack(*pack(heading, gathered)));
}

// docs/bundle.md has each of them with the same words.
TEST(Contents, AndTheirPageAreOne) {
    ASSERT_TRUE(crypto::start());
    std::ifstream in{CLINIC_SOURCE_DIR "/docs/bundle.md"};
    const std::string page{std::istreambuf_iterator<char>{in}, {}};
    check::Site site;
    const fakes::TempFolder folder;
    site.root = site.control = site.sync = site.clinicd_settings = site.syncd_settings = folder / "nothing";
    site.bus = "unix:path=" + (folder / "nothing").string();
    const Sources sources{
        .scene = std::make_shared<const check::Scene>(std::move(site)), .checks = {}, .journal = folder.path()};
    for (const auto& item : gather(sources)) {
        const std::string row =
            "| `" + std::string{item.id.c_str()} + "` | " + item.source.c_str() + " | " + item.safe.c_str() + " |";
        EXPECT_NE(page.find(row), std::string::npos) << row;
    }
}

} // namespace
} // namespace clinic::bundle
