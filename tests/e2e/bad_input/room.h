// One box for all cases of this program: each leaves it as it found it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <sstream>

#include "tests/e2e/store_copy.h"
#include "tests/e2e/wire.h"

namespace clinic::e2e {

class BadInput : public testing::Test {
protected:
    static void SetUpTestSuite() {
        std::signal(SIGPIPE, SIG_IGN); // who is hung up on while it writes
        if (!box_) {
            box_ = std::make_unique<Box>();
            std::atexit([] { box_.reset(); });
            take_senders_from_the_whole_loop();
        }
        well();
        before_ = footprint(process_of(*box_, "clinicd"));
    }

    static int console() { return box_->console_port(); }
    static int mllp() { return box_->mllp_port(); }
    static Box& box() { return *box_; }
    static std::string fresh(const char* letter) {
        return letter + std::to_string(getpid()) + "x" + std::to_string(++counter_);
    }

    // So that there are as many senders as the bound in all has room for.
    static void take_senders_from_the_whole_loop() {
        const auto file = box().folder() / "etc" / "clinicd.json";
        auto config = nlohmann::json::parse(std::ifstream{file});
        config["mllp"]["allow"] = {"127.0.0.0/8"};
        std::ofstream{file} << config;
        const int before = process_of(box(), "clinicd");
        box().kill_program("clinicd");
        ASSERT_TRUE(eventually(
            [&] { return process_of(box(), "clinicd") != before && box().status().contains("egress"); }, 60));
    }

    // A number of /metrics, with its labels; -1: it is not there.
    static std::int64_t metric(const std::string& name) {
        std::istringstream in{box().page("/metrics")};
        for (std::string line; std::getline(in, line);)
            if (line.starts_with(name + " ")) return std::stoll(line.substr(name.size() + 1));
        return -1;
    }
    // Streams that got no answer, and bytes that are no frame: each of them is counted as one of these.
    static std::int64_t unanswered() {
        std::int64_t all = 0;
        for (const char* name : {"clinic_mllp_junk_bytes_total", "clinic_mllp_connections_ended_total{reason=\"junk\"}",
                                 "clinic_mllp_connections_ended_total{reason=\"not_mllp\"}", lost})
            all += metric(name);
        return all;
    }
    static std::string log() {
        std::ostringstream all;
        all << std::ifstream{box().folder() / "logs" / "clinicd.log"}.rdbuf();
        return all.str();
    }
    // A line of clinicd's log with what, what to do, and from where; it says so at most every few seconds.
    static bool is_said(std::size_t from, const std::string& what, const std::string& where) {
        std::istringstream said{log().substr(from)};
        for (std::string line; std::getline(said, line);)
            if (line.find(what + "; ") != std::string::npos && line.find(where) != std::string::npos) return true;
        return false;
    }

    // A good message is stored and the page stands.
    static bool well() {
        return acknowledgement(box().send(adt("A28", fresh("C"), fresh("N"), "Quillfeather", "Ottoline"))) == "AA" &&
               box().page("/").find("HTTP/1.1 200") != std::string::npos;
    }

    // The same process, with what it held before: its descriptors, and its memory within the allocator's play.
    static void TearDownAsBefore() {
        EXPECT_TRUE(eventually(well, 60));
        const int process = process_of(box(), "clinicd");
        EXPECT_TRUE(eventually([&] { return footprint(process).descriptors <= before_.descriptors + 8; }, 90))
            << footprint(process).descriptors << " descriptors, before " << before_.descriptors;
        EXPECT_LE(footprint(process).resident_kib, before_.resident_kib + play_kib);
        const auto feed = box().status()["intake"]["mllp"];
        EXPECT_EQ(feed["received"], feed["stored"].get<int>() + feed["quarantined"].get<int>() +
                                        feed["refused"].get<int>() + feed["duplicate"].get<int>());
        // What was booked is what came over the line, by the server's count, and what lies in the store, by rows.
        EXPECT_TRUE(eventually([] {
            return box().status()["intake"]["mllp"]["received"] == metric("clinic_mllp_frames_total") + metric(lost);
        })) << box().status()["intake"].dump()
            << metric("clinic_mllp_frames_total") << " frames, lost " << metric(lost);
        EXPECT_TRUE(eventually([] { return box().status()["egress"]["crm"]["pending"] == 0; }, 60));
        expect_status_is_rows(box());
    }
    void SetUp() override { process_ = process_of(box(), "clinicd"); }
    void TearDown() override {
        TearDownAsBefore();
        EXPECT_EQ(process_of(box(), "clinicd"), process_) << "clinicd was started anew";
    }

    static constexpr const char* lost = "clinic_mllp_frames_faulty_total{fault=\"lost\"}";
    static constexpr long play_kib = 65'536;
    static inline std::unique_ptr<Box> box_;
    static inline Footprint before_;
    static inline int counter_ = 0;
    int process_ = 0;
};

} // namespace clinic::e2e
