// A box whose machine can be made a bad one: its programs are started through a script, its records' folder can be
// another file system. As root, where the condition needs it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "tests/e2e/wire.h"

namespace clinic::e2e {

class Conditions : public testing::Test {
protected:
    static void SetUpTestSuite();
    void TearDown() override; // every condition ends as it began: running, and nothing acknowledged is lost

    static Box& box() { return *box_; }
    static std::string mode() { return box().status().value("mode", std::string{}); }
    static bool is(const std::string& wanted) { return mode() == wanted; }
    // The need of that code on the page; null: it is not there.
    static nlohmann::json need(const std::string& code);
    static bool needs(const std::string& code) { return !need(code).is_null(); }
    static std::string log(const std::string& program);

    // Both of its ways are open, as clinic-syncd says now.
    static bool delivers();

    // Sends one new patient; counts what was acknowledged.
    static std::string send();
    static bool stored_is_acknowledged();
    // A page that has a newer version in the WAL is written over, whatever became of it in the file. A few would stay.
    static bool nothing_is_in_the_wal();

    // From the next start on the program runs after these words of the shell; empty: as it was.
    static void wrap(const std::string& program, const std::string& words);
    static void restart(const std::string& program);
    // The records are closed (the key is not there) while this runs, and opened again after it.
    static void while_closed(const std::function<void()>& change);
    // The clock of both programs from now on, in the words of libfaketime; empty: as it was. Monotonic time goes on.
    static void set_clock(const std::string& fake);
    // The store on a file system of 12 MB, as root; and home again, without it. `fill` leaves it no room.
    static void to_a_small_disk();
    static void home_from_it();
    static void fill();
    static bool as_root() { return geteuid() == 0; }
    static std::filesystem::path records() { return box().folder() / "records"; }

    static inline std::unique_ptr<Box> box_;
    static inline std::int64_t acknowledged_ = 0;
    static inline int counter_ = 0;
};

} // namespace clinic::e2e
