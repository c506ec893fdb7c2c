// The page's certificate over its life, with the machine's own systemd-creds. As root.
#include "provisioning/page_trust/page_certificate.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/fakes/temp_folder.h"

namespace clinic::provisioning {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

class OfThePage : public ::testing::Test {
protected:
    void SetUp() override {
        if (geteuid() != 0) {
            if (std::getenv("CI") != nullptr) FAIL() << "keys are sealed by root: run as root";
            GTEST_SKIP() << "keys are sealed by root: run as root";
        }
        ASSERT_TRUE(crypto::start());
        for (const char* folder : {"keys", "tls"}) fs::create_directory(etc_.path() / folder);
        settings(R"({"box": "clinic-7", "console": {"names": ["Desk.Clinic.Example"]}})");
    }
    void settings(const std::string& text) const { put("clinicd.json", text); }
    void put(const std::string& file, const std::string& text) const { std::ofstream{etc_.path() / file} << text; }
    std::string read(const std::string& file) const {
        std::ostringstream text;
        text << std::ifstream{etc_.path() / file}.rdbuf();
        return text.str();
    }
    Names names(const std::vector<std::string>& addresses = {"192.168.7.20"}) const {
        auto found = certificate_.names(addresses);
        EXPECT_TRUE(found);
        return found ? *found : Names{};
    }
    Kept keep(const Names& names, std::chrono::seconds later = 0s) const {
        const auto kept = certificate_.keep(names, now_ + later);
        EXPECT_TRUE(kept) << kept.error().what.c_str();
        return kept ? *kept : Kept::own;
    }
    Standing look() const {
        auto standing = certificate_.look();
        EXPECT_TRUE(standing) << standing.error().what.c_str();
        return standing ? *standing : Standing{};
    }
    // Whoever signs certificates for the clinic; openssl(1) reads the request.
    std::string signed_by_others(const std::string& request, int days = 90) const {
        put("request.pem", request);
        const std::string command =
            "cd '" + etc_.path().string() +
            "' && { [ -e other.pem ] || openssl req -x509 -newkey ec -pkeyopt "
            "ec_paramgen_curve:P-256 -nodes -days 900 -subj /CN=Others -keyout other.key -out other.pem; } && "
            "openssl x509 -req -in request.pem -CA other.pem -CAkey other.key -copy_extensions copyall -days " +
            std::to_string(days) + " -out answer.pem";
        EXPECT_EQ(std::system(("{ " + command + "; } >/dev/null 2>&1").c_str()), 0);
        return read("answer.pem") + read("other.pem");
    }

    fakes::TempFolder etc_;
    PageCertificate certificate_{etc_.path()};
    Seconds now_ = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
};

TEST_F(OfThePage, ItIsWhereClinicdReadsIt) {
    settings(R"({"console": {"names": [], "certificate": "/etc/clinic-edge/tls/desk.pem"}})");
    keep(names());
    EXPECT_FALSE(read("tls/desk.pem").empty());
    EXPECT_FALSE(fs::exists(etc_.path() / "tls/console.pem"));
    EXPECT_TRUE(look().is_there);
    const auto elsewhere = etc_.path() / "page.pem"; // as the settings of packaging/try have it
    settings(R"({"console": {"certificate": ")" + elsewhere.string() + R"("}})");
    EXPECT_FALSE(look().is_there);
    keep(names());
    EXPECT_TRUE(fs::exists(elsewhere));
}

TEST_F(OfThePage, ItIsMadeOnceAndStays) {
    EXPECT_FALSE(look().is_there);
    EXPECT_EQ(keep(names()), Kept::trusted);
    const auto page = read("tls/console.pem"), authority = read("tls/local-ca.pem");
    EXPECT_TRUE(certificates::is_trusted_by(page, authority, now_));
    const auto standing = look();
    ASSERT_TRUE(standing.page);
    EXPECT_TRUE(standing.is_there && standing.fits_key && !standing.is_own);
    EXPECT_THAT(standing.page->names.dns, ::testing::ElementsAre("clinic-edge.local", "desk.clinic.example"));
    EXPECT_THAT(standing.page->names.addresses, ::testing::ElementsAre("192.168.7.20"));
    EXPECT_EQ(keep(names()), Kept::stays);
    EXPECT_EQ(read("tls/console.pem"), page);
    EXPECT_EQ(fs::status(etc_.path() / "keys/clinic-edge.console").permissions(),
              fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_EQ(read("keys/clinic-edge.console").find("PRIVATE"), std::string::npos) << "sealed";
}

TEST_F(OfThePage, AnotherAddressOrTheEndOfItsTimeRenewsItUnderTheSameAuthority) {
    keep(names());
    const auto authority = read("tls/local-ca.pem");
    EXPECT_EQ(keep(names({"192.168.7.21"})), Kept::issued);
    EXPECT_EQ(keep(names({"192.168.7.21"}), 24h * 200), Kept::stays);
    EXPECT_EQ(keep(names({"192.168.7.21"}), 24h * 300), Kept::issued);
    EXPECT_EQ(keep(names({"192.168.7.21"}), 24h * 900), Kept::issued) << "it had expired";
    EXPECT_EQ(read("tls/local-ca.pem"), authority) << "nobody has to trust anything again";
    EXPECT_EQ(keep(names({"192.168.7.21"}), 24h * 3'650), Kept::trusted) << "the authority's own time is over";
}

// A cable that is plugged to and fro, or a lease that changes each night: what was named once needs nothing anew.
TEST_F(OfThePage, AnAddressThatComesBackChangesNothing) {
    keep(names({"192.168.7.20"}));
    EXPECT_EQ(keep(names({"192.168.7.21"})), Kept::issued);
    for (int i = 0; i < 3; ++i)
        for (const char* address : {"192.168.7.20", "192.168.7.21"}) EXPECT_EQ(keep(names({address})), Kept::stays);
    for (int host = 30; host < 60; ++host) keep(names({"192.168.7." + std::to_string(host)}));
    EXPECT_LE(look().page->names.addresses.size(), 16U);
    keep(names({"192.168.7.59"}), 24h * 300);
    EXPECT_THAT(look().page->names.addresses, ::testing::ElementsAre("192.168.7.59")) << "a renewal forgets the others";
}

// A dead battery of the hardware clock must not cost the trust that people gave.
TEST_F(OfThePage, AClockThatIsBehindChangesNothing) {
    keep(names());
    const auto page = read("tls/console.pem"), authority = read("tls/local-ca.pem");
    const auto behind = certificate_.keep(names(), now_ - 24h * 365);
    ASSERT_FALSE(behind);
    EXPECT_THAT(behind.error().what.c_str(), HasSubstr("the clock is before"));
    EXPECT_EQ(read("tls/console.pem"), page);
    EXPECT_EQ(read("tls/local-ca.pem"), authority);
    EXPECT_EQ(keep(names()), Kept::stays);
}

// The wrong year at the first hour, or a battery that died within it: when the date is right the page is, and nobody
// trusts twice.
TEST_F(OfThePage, AnAuthorityThatAWrongClockMadeServesWhenItIsRight) {
    for (const auto wrong : {24h * 400, -24h * 365 * 50}) {
        for (const char* file : {"tls/console.pem", "tls/local-ca.pem"}) fs::remove(etc_.path() / file);
        EXPECT_EQ(keep(names(), wrong), Kept::trusted);
        const auto authority = read("tls/local-ca.pem");
        EXPECT_EQ(keep(names()), Kept::issued);
        EXPECT_EQ(read("tls/local-ca.pem"), authority);
        EXPECT_TRUE(certificates::is_trusted_by(read("tls/console.pem"), authority, now_));
        EXPECT_TRUE(certificates::is_trusted_by(read("tls/console.pem"), authority, now_ + 24h * 365));
        EXPECT_EQ(keep(names()), Kept::stays);
    }
}

// The timer, the setup and a person at once: the files that are left belong together.
TEST_F(OfThePage, WhoLooksAfterItWaitsForTheOther) {
    std::vector<std::jthread> all;
    for (int host = 20; host < 24; ++host)
        all.emplace_back([this, host] {
            const PageCertificate own{etc_.path()};
            EXPECT_TRUE(own.keep(names({"192.168.7." + std::to_string(host)}), now_));
        });
    all.clear();
    EXPECT_TRUE(look().fits_key);
    EXPECT_TRUE(certificates::is_trusted_by(read("tls/console.pem"), read("tls/local-ca.pem"), now_));
    EXPECT_THAT(look().page->names.addresses, ::testing::SizeIs(4)) << "each took over what was there";
}

TEST_F(OfThePage, ANameThatTheAuthorityMayNotSignForNeedsAnotherAuthority) {
    keep(names());
    const auto authority = read("tls/local-ca.pem");
    settings(R"({"box": "clinic-7", "console": {"names": ["front.other.example"]}})");
    EXPECT_EQ(keep(names()), Kept::trusted);
    EXPECT_NE(read("tls/local-ca.pem"), authority);
    EXPECT_EQ(keep(names()), Kept::stays);
}

TEST_F(OfThePage, PublicAddressesAreLeftOut) {
    EXPECT_THAT(names({"8.8.8.8", "10.0.0.1"}).addresses, ::testing::ElementsAre("10.0.0.1"));
    settings("{");
    EXPECT_EQ(certificate_.names({}).error().code, Errc::malformed);
}

TEST_F(OfThePage, TheClinicsOwnIsInstalledAndNeverTouched) {
    keep(names());
    const auto request = certificate_.ask(names());
    ASSERT_TRUE(request);
    EXPECT_TRUE(look().request_waits);
    EXPECT_EQ(keep(names()), Kept::stays) << "the page goes on as it is meanwhile";
    const auto again = certificate_.ask(names());
    ASSERT_TRUE(again);
    const auto chain = signed_by_others(*request);
    const auto installed = certificate_.install(chain, names(), now_);
    ASSERT_TRUE(installed) << installed.error().what.c_str();
    const auto standing = look();
    EXPECT_TRUE(standing.is_own && standing.fits_key && !standing.request_waits);
    EXPECT_EQ(standing.page->issuer, "Others");
    EXPECT_EQ(standing.page->chain, 2);
    for (const auto later : {0h, 24h * 300}) EXPECT_EQ(keep(names({"192.168.7.99"}), later), Kept::own);
    EXPECT_EQ(read("tls/console.pem"), chain);
    // Renewed by who signed it, with the key that is there; then by a new request.
    const auto renewed = signed_by_others(*again, 400);
    ASSERT_TRUE(certificate_.install(renewed, names(), now_));
    EXPECT_EQ(read("tls/console.pem"), renewed);
    const auto other = certificate_.ask(names());
    ASSERT_TRUE(other);
    ASSERT_TRUE(certificate_.install(signed_by_others(*other), names(), now_));
    EXPECT_FALSE(certificate_.install(renewed, names(), now_)) << "the key before is gone";
}

TEST_F(OfThePage, WhatDoesNotFitIsRefusedAndThePageStays) {
    const auto none = certificate_.install("x", names(), now_);
    ASSERT_FALSE(none);
    EXPECT_THAT(none.error().remedy.c_str(), HasSubstr("tls csr"));
    keep(names());
    const auto page = read("tls/console.pem");
    const auto request = certificate_.ask({{"elsewhere.example"}, {}});
    ASSERT_TRUE(request);
    const auto chain = signed_by_others(*request);
    EXPECT_THAT(certificate_.install(chain, names(), now_).error().what.c_str(), HasSubstr("names none of"));
    EXPECT_THAT(certificate_.install(read("other.pem") + chain, names(), now_).error().what.c_str(),
                HasSubstr("another key"));
    EXPECT_THAT(certificate_.install(chain, names(), now_ + 24h * 91).error().what.c_str(), HasSubstr("expired"));
    EXPECT_EQ(read("tls/console.pem"), page);
    EXPECT_TRUE(look().fits_key);
}

TEST_F(OfThePage, APowerCutWithinAnInstallationIsMended) {
    keep(names());
    const auto request = certificate_.ask(names());
    ASSERT_TRUE(request);
    put("tls/console.pem", signed_by_others(*request)); // its key has not got its name yet
    EXPECT_FALSE(look().fits_key);
    EXPECT_EQ(keep(names()), Kept::taken);
    EXPECT_TRUE(look().fits_key);
    EXPECT_EQ(keep(names()), Kept::own);
}

TEST_F(OfThePage, APowerCutWithinTheMakingIsMended) {
    keep(names());
    const auto page = read("tls/console.pem");
    for (const char* lost : {"tls/console.pem", "tls/local-ca.pem", "keys/local-ca", "keys/clinic-edge.console"}) {
        fs::remove(etc_.path() / "tls/console.pem"); // the last that is written
        fs::remove(etc_.path() / lost);
        const auto kept = keep(names());
        EXPECT_TRUE(kept == Kept::issued || kept == Kept::trusted) << lost;
        EXPECT_TRUE(look().fits_key) << lost;
        EXPECT_EQ(keep(names()), Kept::stays) << lost;
    }
}

// A TPM that is busy, a program that does not end: tried again, and nobody trusts another authority for it.
TEST_F(OfThePage, AnAuthoritysKeyThatCannotBeReadNowIsNotMadeAnew) {
    keep(names());
    const auto page = read("tls/console.pem"), authority = read("tls/local-ca.pem");
    put("systemd-creds", "#!/bin/sh\ncase \"$*\" in *name=local-ca*) exec yes ;; esac\nexec /usr/bin/systemd-creds "
                         "\"$@\"\n");
    fs::permissions(etc_.path() / "systemd-creds", fs::perms::owner_all);
    const std::string usual = std::getenv("PATH");
    setenv("PATH", (etc_.path().string() + ":" + usual).c_str(), 1);
    const auto kept = certificate_.keep(names({"192.168.7.21"}), now_);
    setenv("PATH", usual.c_str(), 1);
    EXPECT_FALSE(kept);
    EXPECT_EQ(read("tls/console.pem"), page);
    EXPECT_EQ(read("tls/local-ca.pem"), authority);
    EXPECT_EQ(keep(names({"192.168.7.21"})), Kept::issued);
    EXPECT_EQ(read("tls/local-ca.pem"), authority);
}

// Its board was changed, or its TPM was cleared: the page comes back by itself.
TEST_F(OfThePage, KeysThatDoNotOpenAreMadeAnew) {
    keep(names());
    for (const char* file : {"keys/clinic-edge.console", "keys/local-ca"}) put(file, "bm90IG91cnM=\n");
    EXPECT_EQ(keep(names()), Kept::trusted);
    EXPECT_TRUE(look().fits_key);
}

} // namespace
} // namespace clinic::provisioning
