// A box on a machine with a TPM 2.0: its keys are sealed to it, it starts by itself with it, and without it, or with
// another, it is a box that is locked and says so. The TPM is emulated, and no device of the kernel's: systemd is told
// of it by name. In the order in which they stand, on one machine.
#include "tests/e2e/appliance/tpm.h"

#include <filesystem>
#include <fstream>

#include "tests/e2e/appliance/on_machine.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

constexpr const char* keys = "/etc/clinic-edge/keys";

class Tpm : public OnSetUpMachine {
protected:
    static void SetUpTestSuite() {
        if (geteuid() != 0) return;
        machine_ = std::make_unique<ClinicMachine>();
        tell_systemd();
        box().environment = EmulatedTpm::for_systemd();
        box().boot();
        tpm_ = std::make_unique<EmulatedTpm>();
        tpm_->plug_in();
        const auto installed = box().install();
        if (installed.exit != 0) throw std::runtime_error{installed.out};
        box().set_up();
    }
    static void TearDownTestSuite() {
        tpm_.reset();
        machine_.reset();
    }
    // A TPM of the kernel's is a device, which the units let in; this one is on two ports of the loopback.
    static void tell_systemd() {
        const auto write = [](const std::string& file, const std::string& text) {
            std::filesystem::create_directories(box().path(file).parent_path());
            std::ofstream{box().path(file)} << text;
        };
        const std::string named = EmulatedTpm::for_systemd();
        write("/etc/systemd/system.conf.d/tpm.conf",
              "[Manager]\nManagerEnvironment=" + named + "\nDefaultEnvironment=" + named + "\n");
        for (const std::string unit : {"clinic-edge-credentials", "clinic-edge-tls", "clinic-edge-unlock"})
            write("/etc/systemd/system/" + unit + ".service.d/tpm.conf",
                  "[Service]\nPrivateNetwork=no\nIPAddressDeny=\nRestrictAddressFamilies=AF_INET\n");
    }
    static void start_anew() {
        ASSERT_EQ(box().in("systemctl restart clinic-edge-tls clinicd; systemctl restart clinic-syncd || true").exit, 0)
            << box().in("systemctl --failed; journalctl -b --no-pager -n 40").out;
    }
    static json check(const std::string& id) {
        const auto report = json::parse(box().in("clinicctl check --json || true").out, nullptr, false);
        for (const auto& one : report.is_object() ? report.value("checks", json::array()) : json::array())
            if (one.value("id", "") == id) return one;
        return {};
    }
    static std::string ways_of_sealing() {
        return box().ask(std::string{"cd "} + keys + "; for k in *; do head -c 20 $k; echo; done | sort -u");
    }
    static std::string recover() {
        return box().in("clinicctl keys recover --new-key --reason 'another mainboard' </root/words").out;
    }
    static inline std::unique_ptr<EmulatedTpm> tpm_;
};

const std::string by_both = "k6iUCUh0RJCQyvL8k8q1"; // the beginning of what is sealed to the TPM and the host's key

TEST_F(Tpm, TheSetupSealsToItAndSaysSo) {
    EXPECT_EQ(ways_of_sealing(), by_both) << "of each key";
    EXPECT_EQ(box().ask("jq -r .report.steps.keys.sealed_to /var/lib/clinic-edge/setup/handover.json"), "tpm2");
    EXPECT_EQ(check("keys.tpm").value("result", ""), "ok") << check("keys.tpm");
    EXPECT_NE(check("keys.tpm").dump().find("sealed to a TPM and the host key"), std::string::npos);
    EXPECT_EQ(check("keys.open").value("result", ""), "ok") << check("keys.open");
}

TEST_F(Tpm, OpensTheRecordsByItself) {
    start_anew();
    EXPECT_TRUE(becomes("running"));
    EXPECT_TRUE(acknowledges());
    EXPECT_TRUE(box().is_active("clinic-syncd.service"));
}

// As a disk in another machine, or one whose TPM was switched off in the firmware, and on again.
TEST_F(Tpm, WithoutItTheBoxIsLockedAndOpensWhenItIsBack) {
    tpm_->take_out();
    start_anew();
    EXPECT_TRUE(becomes("locked"));
    EXPECT_TRUE(needs("E2001"));
    EXPECT_TRUE(page_is_served());
    EXPECT_EQ(box().send(next_message()), "AE");
    EXPECT_EQ(check("keys.tpm").value("result", ""), "fail") << check("keys.tpm");
    EXPECT_NE(check("keys.tpm").dump().find("clinicctl keys recover --new-key"), std::string::npos);
    tpm_->plug_in();
    start_anew();
    EXPECT_TRUE(becomes("running"));
    EXPECT_TRUE(acknowledges());
}

// One that was cleared, or another mainboard's: what opens is the words, and then the box by itself.
TEST_F(Tpm, OnAnotherTheWordsOpenItOnceAndThenItOpensByItself) {
    const auto stored = box().stored();
    tpm_->take_out();
    tpm_->clear();
    tpm_->plug_in();
    start_anew();
    EXPECT_TRUE(becomes("locked"));
    EXPECT_TRUE(needs("E2001"));
    EXPECT_TRUE(page_is_served()) << "with a certificate of a new authority, whose key this TPM seals";
    EXPECT_EQ(box().send(next_message()), "AE");
    const auto said = recover();
    EXPECT_NE(said.find("opens the records by itself from now on"), std::string::npos) << said;
    EXPECT_TRUE(acknowledges());
    EXPECT_EQ(box().ask(std::string{"head -c 20 "} + keys + "/clinic-edge.store"), by_both);
    start_anew();
    EXPECT_TRUE(acknowledges()) << "by a clock that nobody confirms: clinic-syncd's own keys are to be sealed anew";
    EXPECT_GT(box().stored(), stored) << "of the same records";
}

} // namespace
} // namespace clinic::e2e
