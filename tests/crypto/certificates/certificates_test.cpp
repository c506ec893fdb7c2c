// What the page's certificates are, as openssl(1) judges them: it is the other side's reader.
#include "crypto/certificates/certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "tests/fakes/temp_folder.h"

namespace clinic::certificates {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* our_name = "clinic-edge.local";

Seconds now() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

class Certificates : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(crypto::start());
        auto mine = Key::make(), above = Key::make();
        ASSERT_TRUE(mine && above);
        key_.emplace(std::move(*mine));
        authority_key_.emplace(std::move(*above));
        const auto made = make_authority(*authority_key_, {our_name}, now());
        ASSERT_TRUE(made) << made.error().what.c_str();
        authority_ = *made;
        put("authority.pem", authority_);
    }

    void put(const std::string& name, const std::string& text) const { std::ofstream{folder_.path() / name} << text; }
    std::string openssl(const std::string& words) const {
        const auto command = "cd '" + folder_.path().string() + "' && openssl " + words + " 2>&1";
        std::string text;
        std::FILE* pipe = popen(command.c_str(), "r");
        std::array<char, 4'096> part{};
        while (pipe != nullptr && std::fgets(part.data(), part.size(), pipe) != nullptr) text += part.data();
        if (pipe != nullptr) pclose(pipe);
        return text;
    }
    std::string page_for(const Names& names, Seconds when = now()) {
        const auto made = issue(authority_, *authority_key_, *key_, names, when);
        EXPECT_TRUE(made) << made.error().what.c_str();
        put("page.pem", made ? *made : "");
        return made ? *made : "";
    }
    std::string verified(const std::string& more = "") const {
        return openssl("verify -x509_strict -purpose sslserver -CAfile authority.pem " + more + " page.pem");
    }
    static std::string why(const Result<void>& result) { return result ? "" : result.error().what.c_str(); }

    fakes::TempFolder folder_;
    std::optional<Key> key_, authority_key_;
    std::string authority_;
};

TEST_F(Certificates, APageOfItsOwnAuthorityIsTrustedByItsNamesAndAddresses) {
    page_for({{our_name}, {"192.168.7.20", "fe80::1", "127.0.0.1"}});
    EXPECT_EQ(verified("-verify_hostname clinic-edge.local"), "page.pem: OK\n");
    for (const char* address : {"192.168.7.20", "fe80::1", "127.0.0.1"})
        EXPECT_EQ(verified(std::string{"-verify_ip "} + address), "page.pem: OK\n") << address;
    EXPECT_THAT(verified("-verify_ip 192.168.7.21"), HasSubstr("IP address mismatch"));
    EXPECT_THAT(openssl("x509 -in page.pem -noout -text"), HasSubstr("TLS Web Server Authentication"));
}

// Whoever steals the authority's key can speak for no other site to those who trust it.
TEST_F(Certificates, TheAuthorityCanSignForNobodyElse) {
    for (const Names& names : {Names{{"bank.example"}, {}},
                               {{our_name, "bank.example"}, {}},
                               {{}, {"8.8.8.8"}},
                               {{}, {"2001:db8::1"}},
                               {{"local"}, {}},
                               {{"clinic-edge.local.example"}, {}},
                               {{"172.32.0.1.example"}, {"172.32.0.1"}}}) {
        page_for(names);
        EXPECT_THAT(verified(), HasSubstr("permitted subtree violation")) << names.dns.size();
    }
    put("below.cnf", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n");
    const auto pem = authority_key_->pem();
    ASSERT_TRUE(pem);
    put("authority.key", {reinterpret_cast<const char*>(pem->bytes().data()), pem->size()});
    openssl(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout below.key -subj /CN=below -out below.csr");
    openssl("x509 -req -in below.csr -CA authority.pem -CAkey authority.key -extfile below.cnf -days 9 -out below.pem");
    openssl("req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout x.key -subj /CN=x -out x.csr");
    openssl("x509 -req -in x.csr -CA below.pem -CAkey below.key -days 9 -out page.pem");
    EXPECT_THAT(openssl("verify -CAfile authority.pem -untrusted below.pem page.pem"),
                HasSubstr("path length constraint exceeded"));
}

TEST_F(Certificates, LastAsLongAsBrowsersTake) {
    page_for({{our_name}, {}});
    const auto later = [](std::chrono::days days) {
        return "-attime " + std::to_string((now() + days).time_since_epoch().count());
    };
    EXPECT_EQ(verified(later(page_lasts - std::chrono::days{1})), "page.pem: OK\n");
    EXPECT_THAT(verified(later(page_lasts + std::chrono::days{1})), HasSubstr("certificate has expired"));
    const auto about = look(authority_);
    ASSERT_TRUE(about);
    EXPECT_GT(about->until, now() + std::chrono::days{3'600});
}

TEST_F(Certificates, ARequestAsksForAllItsNames) {
    const auto made = request(*key_, {{"box.clinic.example", "desk.clinic.example"}, {"192.168.7.20"}});
    ASSERT_TRUE(made);
    put("request.pem", *made);
    const auto text = openssl("req -in request.pem -noout -text -verify");
    EXPECT_THAT(text, HasSubstr("self-signature verify OK"));
    EXPECT_THAT(text, HasSubstr("CN = box.clinic.example"));
    EXPECT_THAT(text, HasSubstr("DNS:box.clinic.example, DNS:desk.clinic.example, IP Address:192.168.7.20"));
    EXPECT_FALSE(request(*key_, {}));
}

TEST_F(Certificates, SayWhatTheyAre) {
    const auto page = page_for({{our_name}, {"10.0.0.9", "fe80::1"}});
    const auto about = look(page + authority_);
    ASSERT_TRUE(about);
    EXPECT_EQ(about->subject, our_name);
    const auto above = look(authority_);
    ASSERT_TRUE(above);
    EXPECT_EQ(about->issuer, above->subject);
    EXPECT_EQ(above->subject.rfind("Clinic Edge ", 0), 0U);
    EXPECT_EQ(above->subject.size(), std::string_view{"Clinic Edge 01234567"}.size());
    EXPECT_EQ(about->names, (Names{{our_name}, {"10.0.0.9", "fe80::1"}}));
    EXPECT_EQ(about->chain, 2);
    EXPECT_LE(about->from, now());
    EXPECT_THAT(openssl("x509 -in page.pem -noout -fingerprint -sha256"), HasSubstr("=" + about->fingerprint + "\n"));
    EXPECT_TRUE(is_signed_by(page, authority_));
    EXPECT_FALSE(is_signed_by(authority_, page));
    EXPECT_TRUE(is_trusted_by(page, authority_, now()));
    EXPECT_FALSE(is_trusted_by(page, authority_, now() + page_lasts));
    EXPECT_FALSE(is_trusted_by(page_for({{"bank.example"}, {}}), authority_, now()));
    EXPECT_FALSE(look("no certificate"));
}

TEST_F(Certificates, WhatCannotStandOnThePageIsRefusedWithItsReason) {
    const auto page = page_for({{our_name}, {}});
    const std::vector<std::string> names{our_name};
    EXPECT_EQ(why(fits(page, *key_, names, now())), "");
    EXPECT_EQ(why(fits(page + authority_, *key_, names, now())), "");
    EXPECT_THAT(why(fits("", *key_, names, now())), HasSubstr("no certificate in PEM"));
    EXPECT_THAT(why(fits(page.substr(0, page.size() / 2), *key_, names, now())), HasSubstr("no certificate in PEM"));
    EXPECT_THAT(why(fits(page, *authority_key_, names, now())), HasSubstr("for another key"));
    EXPECT_THAT(why(fits(authority_ + page, *key_, names, now())), HasSubstr("for another key"));
    EXPECT_THAT(why(fits(authority_, *authority_key_, names, now())), HasSubstr("an authority's"));
    EXPECT_THAT(why(fits(page + page, *key_, names, now())), HasSubstr("the chain is broken"));
    EXPECT_THAT(why(fits(page, *key_, names, now() + page_lasts)), HasSubstr("has expired"));
    EXPECT_THAT(why(fits(page, *key_, names, now() - std::chrono::days{1})), HasSubstr("not valid yet"));
    EXPECT_THAT(why(fits(page, *key_, {"desk.clinic.example"}, now())), HasSubstr("names none of"));
}

TEST_F(Certificates, AKeyComesBackFromItsText) {
    const auto pem = key_->pem();
    ASSERT_TRUE(pem);
    const auto again = Key::read(pem->bytes());
    ASSERT_TRUE(again);
    EXPECT_EQ(why(fits(page_for({{our_name}, {}}), *again, {our_name}, now())), "");
    EXPECT_FALSE(Key::read(std::as_bytes(std::span{"no key"})));
}

TEST(CertificateNames, AreTidiedOrRefused) {
    const auto tidied = tidy({{"B.Example", "a.example", "b.example"}, {"FE80:0::1", "10.0.0.1"}});
    ASSERT_TRUE(tidied);
    EXPECT_EQ(*tidied, (Names{{"a.example", "b.example"}, {"10.0.0.1", "fe80::1"}}));
    for (const char* bad : {"", "a b", "a/b", ".a", "a.", "a\nb", "a,permitted;DNS:com"})
        EXPECT_FALSE(tidy({{bad}, {}})) << bad;
    for (const char* bad : {"", "1.2.3", "300.1.1.1", "::x"}) EXPECT_FALSE(tidy({{}, {bad}})) << bad;
    EXPECT_TRUE((Names{{"a", "b"}, {}}.holds({{"a"}, {}})));
    EXPECT_FALSE((Names{{"a"}, {}}.holds({{"a"}, {"10.0.0.1"}})));
}

} // namespace
} // namespace clinic::certificates
