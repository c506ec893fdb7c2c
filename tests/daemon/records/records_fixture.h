// A store in a folder of its own, and short ways to say what a message says.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "crypto/key_slot.h"
#include "daemon/audit/trail.h"
#include "daemon/records/appointments.h"
#include "daemon/records/patients.h"
#include "daemon/records/store.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"
#include "tests/statements/statements.h"

namespace clinic::records {

inline crypto::KeySlot slot_of(char fill) {
    const std::string key(crypto::key_bytes, fill);
    return crypto::KeySlot::from_key(crypto::SecureBytes::copy_of(std::as_bytes(std::span{key})));
}

template <class T>
Said<T> said(T value) {
    return Said<T>::given(std::move(value));
}
inline Said<PhiText> said(const char* text) {
    return Said<PhiText>::given(PhiText{text});
}

inline Said<std::vector<PhiText>> said_all(const std::vector<std::string>& texts) {
    std::vector<PhiText> values;
    for (const auto& text : texts) values.emplace_back(text);
    return Said<std::vector<PhiText>>::given(std::move(values));
}

inline Identifier number(const char* value, const char* name_space = "HOSP") {
    return {name_space, "MR", PhiText{value}};
}

inline PatientChange person(const char* mrn, const char* family = "Doe", const char* given = "Jane") {
    PatientChange change;
    change.identifiers.push_back(number(mrn));
    change.family = said(family);
    change.given = said(given);
    return change;
}

// No outbox in these tests: nothing else goes with an erased person.
inline Result<void> nothing_else(PatientId) {
    return {};
}

class Records : public testing::Test {
protected:
    void SetUp() override { reopen(); }
    void TearDown() override {
        if (store_) statements::expect_known(*store_);
    }

    Result<std::unique_ptr<Store>> open(char key = 'k') { return Store::open(options_, slot_of(key), clock_); }
    void reopen() {
        store_.reset();
        auto opened = open();
        ASSERT_TRUE(opened) << opened.error().what.c_str() << ' ' << opened.error().native;
        store_ = std::move(*opened);
    }

    Stamp now() const { return {"APP|FAC", clock_.now()}; }
    Stamp earlier(int seconds) const { return {"APP|FAC", clock_.now() - std::chrono::seconds{seconds}}; }

    // Runs under a Disclosure of its own; a failure is the test's.
    template <class Step>
    auto with(Step step) {
        using Value =
            typename decltype(step(std::declval<Transaction&>(), std::declval<const Disclosure&>()))::value_type;
        std::optional<Result<Value>> out;
        const auto written = store_->write([&](Transaction& txn) -> Result<void> {
            const auto why =
                audit::Trail::append(txn, {audit::Actor::feed, 1, audit::Action::update, audit::Purpose::treatment});
            if (!why) return why.error();
            out = step(txn, *why);
            if (!*out) return out->error();
            return {};
        });
        if (!out) out = Result<Value>{written ? Error{Errc::unknown, "the step did not run"} : written.error()};
        return std::move(*out);
    }
    template <class Step>
    auto read(Step step) {
        using Value = typename decltype(step(std::declval<Snapshot&>()))::value_type;
        std::optional<Result<Value>> out;
        const auto done = store_->read([&](Snapshot& snapshot) -> Result<void> {
            out = step(snapshot);
            return {};
        });
        EXPECT_TRUE(done);
        return std::move(*out);
    }

    Upserted upsert(const PatientChange& change, const Stamp& stamp, bool test_traffic = false) {
        auto out = with([&](Transaction& txn, const Disclosure& why) {
            return upsert_patient(txn, why, change, stamp, test_traffic);
        });
        EXPECT_TRUE(out) << out.error().what.c_str() << ' ' << out.error().native;
        return out ? *out : Upserted{};
    }
    Upserted upsert(const PatientChange& change) { return upsert(change, now()); }
    PatientFacts facts(PatientId id) {
        auto out = read([&](Snapshot& snapshot) { return patient_facts(snapshot, id); });
        EXPECT_TRUE(out);
        return out ? std::move(*out) : PatientFacts{};
    }
    std::vector<PatientId> find(Literal kind, const char* value) {
        auto out = read([&](Snapshot& snapshot) { return find_by_index(snapshot, kind, value); });
        EXPECT_TRUE(out);
        return out ? std::move(*out) : std::vector<PatientId>{};
    }

    fakes::TempFolder folder_;
    fakes::ManualClock clock_;
    StoreOptions options_{.folder = folder_ / "records", .make = true};
    std::unique_ptr<Store> store_;
};

} // namespace clinic::records
