// A real store, a clock that is told, and a Health over both.
#pragma once

#include <gtest/gtest.h>

#include "crypto/key_slot.h"
#include "crypto/secure_bytes.h"
#include "daemon/health/health.h"
#include "daemon/records/store.h"
#include "daemon/release/policy.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"
#include "tests/statements/statements.h"

namespace clinic::health {

using namespace std::chrono_literals;

class WithStore : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(crypto::start());
        open();
    }
    void TearDown() override {
        if (!store_) return;
        health_.detach();
        statements::expect_known(*store_);
    }

    void open() {
        auto slot = crypto::KeySlot::from_key(crypto::SecureBytes::copy_of(key_.bytes()));
        auto opened = records::Store::open({.folder = folder_.path(), .make = true}, slot, clock_);
        ASSERT_TRUE(opened) << opened.error().what.c_str();
        store_ = std::move(*opened);
    }
    void attach() { health_.attach(*store_); }

    void write(records::Store::Job job) {
        const auto done = store_->write(std::move(job));
        ASSERT_TRUE(done) << done.error().what.c_str();
    }
    void set_basis(release::Basis basis, std::optional<Timestamp> expires = {}) {
        release::Policy policy;
        policy.basis = basis;
        policy.basis_expires = expires;
        policy.site = "s_0123456789";
        write([&](records::Transaction& txn) { return records::set_setting(txn, "policy", release::encode(policy)); });
    }
    // The outbox's own counters: 0 is "released", the others are outbox::State.
    void set_counter(int state, std::int64_t envelopes) {
        write([&](records::Transaction& txn) -> Result<void> {
            auto put =
                txn.prepare("INSERT OR REPLACE INTO outbox_counter (destination, state, envelopes) VALUES (0, ?, ?)");
            if (!put) return put.error();
            return put->bind(state, envelopes).run();
        });
    }
    void set_feed(const char* feed, std::int64_t received, std::int64_t stored, std::int64_t duplicate) {
        write([&](records::Transaction& txn) -> Result<void> {
            auto put = txn.prepare("INSERT OR REPLACE INTO feed_counter (feed, received, stored, duplicate, last_at) "
                                   "VALUES (?, ?, ?, ?, ?)");
            if (!put) return put.error();
            return put->bind(feed, received, stored, duplicate, txn.now()).run();
        });
    }
    void everything_up() {
        health_.lanes({.kernel_synchronised = true,
                       .https_offset_s = 1,
                       .crm = envelope::LaneState::up,
                       .mqtt = envelope::LaneState::up});
    }
    // A look that is not the cached one.
    Status look() {
        clock_.advance(200ms);
        return health_.status();
    }

    fakes::TempFolder folder_;
    fakes::ManualClock clock_;
    crypto::SecureBytes key_ = crypto::SecureBytes::random(32);
    Settings settings_{.box = "demo-1", .version = "0.1.0", .records = folder_.path()};
    Health health_{settings_, clock_};
    std::unique_ptr<records::Store> store_;
};

class HealthOf : public WithStore {
protected:
    void well_box() {
        attach();
        set_basis(release::Basis::baa);
        everything_up();
    }
    void network_down() { health_.lanes({.kernel_synchronised = true, .crm_code = "offline", .mqtt_code = "offline"}); }
};

inline std::vector<std::string> codes(const Status& status) {
    std::vector<std::string> all;
    for (const Need& need : status.needs) all.push_back(need.code);
    return all;
}

} // namespace clinic::health
