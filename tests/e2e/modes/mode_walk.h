// The table of the modes (daemon/health/modes.h), walked on a box that is in one of them: each surface is tried, and
// what a cell shall be is read from the table. How a surface is asked is each kind of box's own: beside its units
// (tests/e2e/modes), and under them (tests/e2e/appliance).
//   Threads: one.
#pragma once

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "daemon/health/modes.h"
#include "tests/e2e/box.h"

namespace clinic::e2e {

class ModeWalk {
public:
    ModeWalk() = default;
    ModeWalk(const ModeWalk&) = delete;
    ModeWalk& operator=(const ModeWalk&) = delete;
    virtual ~ModeWalk() = default;

    // Each cell of the mode's line, after the mode was entered.
    void walk(health::Mode mode) {
        ASSERT_TRUE(eventually([&] { return is(mode); }, patience_s())) << status();
        walked_.insert(mode);
        for (std::size_t at = 0; at < health::surface_names.size(); ++at) {
            const auto surface = static_cast<health::Surface>(at);
            EXPECT_EQ(tried(surface, mode), serves(mode, surface))
                << name(mode) << ", " << health::surface_names.at(at).c_str();
        }
        EXPECT_TRUE(is(mode)) << "and it is that mode still: " << status();
    }
    // Last: no line of the table was left out.
    void expect_all_walked() const {
        for (const auto& row : health::served_in_modes) EXPECT_TRUE(walked_.contains(row.mode)) << name(row.mode);
    }

protected:
    virtual int patience_s() const = 0;
    virtual nlohmann::json status() = 0;                   // of clinicctl, or of the page; an object
    virtual std::string send() = 0;                        // a message nobody has sent yet; MSA-1
    virtual Ran import(const std::string& people) = 0;     // a file of patients
    virtual std::string page(const std::string& path) = 0; // with its status line
    virtual bool bus_says(const std::string& mode) = 0;
    virtual std::string heard_by_ops() = 0;   // the next metrics
    virtual std::size_t persons_at_ghl() = 0; // that the box has told it of
    virtual void deliver() = 0;               // clinic-syncd, which did not run, runs from now on

private:
    using Mode = health::Mode;
    using Serves = health::Serves;

    static Serves told(bool served) { return served ? Serves::all : Serves::nothing; }
    bool is(Mode mode) { return status().value("mode", "") == name(mode); }

    Serves by_mllp() {
        const auto code = send();
        EXPECT_TRUE(code == "AA" || code == "AE") << code;
        return told(code == "AA");
    }
    Serves by_import() {
        const auto ran = import("record_number,family_name,given_name,birth_date\nI" + std::to_string(++imports_) +
                                ",Quillfeather,Ottoline,1985-06-15\n");
        EXPECT_TRUE(ran.exit == 0 || !ran.out.empty()) << "a refusal says why";
        return told(ran.exit == 0);
    }
    // The page's own document names the mode.
    Serves by_page(Mode mode) {
        const std::string said = std::string{"\"mode\":\""} + name(mode) + "\"";
        return told(page("/").find("HTTP/1.1 200") != std::string::npos &&
                    page("/api/v1/status").find(said) != std::string::npos);
    }
    // The document, and its health: ready where messages are taken in.
    Serves by_api(Mode mode) {
        const bool ready = page("/api/health").find("HTTP/1.1 200") != std::string::npos;
        EXPECT_EQ(ready, serves(mode, health::Surface::mllp) == Serves::all);
        return told(is(mode));
    }
    Serves by_bus(Mode mode) {
        return told(eventually([&] { return bus_says(name(mode)); }, patience_s()));
    }
    Serves by_mqtt(Mode mode) {
        const std::string said = std::string{"\"mode\":\""} + name(mode) + "\"";
        return told(eventually([&] { return heard_by_ops().find(said) != std::string::npos; }, patience_s()));
    }
    // What has waited, once clinic-syncd speaks with clinicd. By a clock that is not trusted it is parked: all that may
    // leave is what has no end, and the basis of the box has one.
    Serves by_delivery(Mode mode) {
        const auto before = persons_at_ghl();
        deliver();
        EXPECT_TRUE(eventually([&] { return status()["lanes"]["program"]["state"] == "up"; }, patience_s()));
        if (mode == Mode::clock_untrusted) {
            EXPECT_TRUE(eventually([&] { return status()["egress"]["crm"]["parked"] != 0; }, patience_s()));
            EXPECT_EQ(persons_at_ghl(), before);
            return Serves::some;
        }
        if (serves(mode, health::Surface::delivery) == Serves::nothing) {
            EXPECT_EQ(by_mqtt(mode), Serves::all) << "clinic-syncd asks, and hears of the mode";
            return told(persons_at_ghl() != before);
        }
        const bool left = eventually([&] { return persons_at_ghl() > before; }, patience_s());
        return mode == Mode::full && left ? Serves::some : told(left);
    }
    Serves tried(health::Surface surface, Mode mode) {
        using health::Surface;
        switch (surface) {
        case Surface::mllp: return by_mllp();
        case Surface::import: return by_import();
        case Surface::page: return by_page(mode);
        case Surface::api: return by_api(mode);
        case Surface::dbus: return by_bus(mode);
        case Surface::delivery: return by_delivery(mode);
        case Surface::mqtt: return by_mqtt(mode);
        }
        return Serves::nothing;
    }

    std::set<Mode> walked_;
    int imports_ = 0;
};

} // namespace clinic::e2e
