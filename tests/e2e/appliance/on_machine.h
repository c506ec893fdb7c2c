// What the tests of the installed box have in common: one machine, for root alone, and messages that are all new.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/e2e/appliance/clinic.h"
#include "tests/e2e/wire.h"

namespace clinic::e2e {

class OnMachine : public testing::Test {
protected:
    static void boot() {
        machine_ = std::make_unique<ClinicMachine>();
        machine_->boot();
    }
    static void TearDownTestSuite() { machine_.reset(); }
    void SetUp() override {
        // As root nothing is skipped; where somebody counts on the tests, not being root is a failure.
        if (geteuid() == 0) return;
        if (std::getenv("CI") != nullptr)
            FAIL() << "a real systemd needs root, debootstrap and systemd-nspawn: run as root";
        GTEST_SKIP() << "a real systemd needs root: run as root";
    }
    static ClinicMachine& box() { return *machine_; }
    static std::string next_message() {
        const std::string number = std::to_string(++sent_);
        return adt("A04", "C" + number, "N" + number, "Quillfeather", "Una");
    }

    static inline std::unique_ptr<ClinicMachine> machine_;

private:
    static inline std::atomic<int> sent_{0};
};

// The same, installed and set up; what becomes of it is seen by its status.
class OnSetUpMachine : public OnMachine {
protected:
    static void SetUpTestSuite() {
        if (geteuid() != 0) return;
        boot();
        const auto installed = box().install();
        if (installed.exit != 0) throw std::runtime_error{installed.out};
        box().set_up();
    }
    void TearDown() override {
        if (HasFailure() && machine_)
            std::fputs(box().in("journalctl -b --no-pager -o short-monotonic -u 'clinic*' | tail -n 40").out.c_str(),
                       stderr);
    }
    static std::string mode() { return box().status().value("mode", ""); }
    static bool becomes(const std::string& wanted) {
        return eventually([&] { return mode() == wanted; }, patience_s);
    }
    static bool acknowledges() {
        return eventually([] { return box().send(next_message()) == "AA"; }, patience_s);
    }
    static bool needs(const std::string& code) {
        const auto said = box().status();
        for (const auto& need : said.value("needs", nlohmann::json::array()))
            if (need.value("code", "") == code) return true;
        return false;
    }
    static bool page_is_served() { return box().page("/").rfind("HTTP/1.1 200", 0) == 0; }
    // The clock of these programs from now on, in the words of libfaketime, whose steps its monotonic clock does not
    // take part in; empty: as it was. Without the watchdog: that library takes a timer of the one clock for one of the
    // other.
    static void set_clock(const std::vector<std::string>& programs, const std::string& fake) {
        // Once: written over, it would pull the ground from under who has it loaded.
        const std::string there = "'" + box().path("/usr/lib/libfaketime.so.1").string() + "'";
        ASSERT_EQ(run("[ -e " + there + " ] || cp /usr/lib/*/faketime/libfaketime.so.1 " + there).exit, 0);
        std::string all, script;
        for (const auto& program : programs) {
            const std::string folder = "/run/systemd/system/" + program + ".service.d";
            script += "rm -rf " + folder + "\n";
            if (!fake.empty())
                script += "mkdir -p " + folder +
                          "; printf '[Service]\\nWatchdogSec=0\\nEnvironment=LD_PRELOAD=/usr/lib/libfaketime.so.1 "
                          "FAKETIME_DONT_FAKE_MONOTONIC=1 \"FAKETIME=" +
                          fake + "\"\\n' >" + folder + "/clock.conf\n";
            all += " " + program;
        }
        ASSERT_EQ(box().in(script + "systemctl daemon-reload; systemctl restart" + all).exit, 0);
    }
};

} // namespace clinic::e2e
