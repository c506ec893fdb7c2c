// What the tests of the installed box have in common: one machine, for root alone, and messages that are all new.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>

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

} // namespace clinic::e2e
