// The full comparison, driven as clinic-syncd does it.
#pragma once

#include "daemon/crm/repair.h"
#include "tests/daemon/crm/crm_fixture.h"

namespace clinic::crm {

using envelope::CrmWalk;
using envelope::WalkStep;
using envelope::WalkTerms;

class FullComparison : public Crm {
protected:
    static constexpr const char* other = "GHLcontactOther00001";

    WalkTerms step(const CrmWalk& done = {}) {
        WalkTerms out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            auto terms = comparing->walk(txn, done);
            CLINIC_TRY(terms);
            out = std::move(*terms);
            return {};
        });
        return out;
    }
    void ask() {
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto asked = Walks::ask(txn, false);
            return asked ? Result<void>{} : asked.error();
        });
    }
    // As clinic-syncd does it, with a GHL that holds `shown`; the ids that were asked about by themselves.
    std::vector<std::string> walk(const std::vector<CrmFact>& shown) {
        std::vector<std::string> looked;
        ask();
        auto terms = step();
        EXPECT_EQ(terms.step, WalkStep::read);
        for (auto fact : shown) {
            fact.read_ms = now_ms();
            take(fact);
        }
        terms = step({.walk = terms.walk, .reached_ms = now_ms(), .whole = true, .requests = 1});
        while (terms.step != WalkStep::rest) {
            if (terms.step == WalkStep::look) looked.push_back(terms.id);
            terms =
                step({.walk = terms.walk, .looked = terms.id, .absent = terms.step == WalkStep::look, .requests = 1});
        }
        return looked;
    }
    // A minute later, what was absent is asked about once more; the ids.
    std::vector<std::string> look_again(bool absent = true) {
        std::vector<std::string> looked;
        clinic.clock.advance(absent_apart);
        for (auto terms = step(); terms.step == WalkStep::look;
             terms = step({.looked = terms.id, .absent = absent, .requests = 1})) {
            EXPECT_EQ(terms.walk, 0);
            looked.push_back(terms.id);
        }
        return looked;
    }
    Counts counts() {
        Counts out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto found = count_differing(txn);
            CLINIC_TRY(found);
            out = *found;
            return {};
        });
        return out;
    }
    std::int64_t count(Differs kind) { return counts().of.at(static_cast<std::size_t>(kind)); }
    Repaired repair(Differs kind, bool dry_run = false) {
        Repaired out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto next = Repair{clinic.releaser, dry_run}.slice(txn, kind, 0, out);
            return next ? Result<void>{} : next.error();
        });
        return out;
    }
    std::optional<Walk> newest_ended() {
        std::optional<Walk> out;
        clinic.write([&](records::Transaction& txn) -> Result<void> {
            const auto found = Walks::newest_ended(txn);
            CLINIC_TRY(found);
            out = *found;
            return {};
        });
        return out;
    }
    void restart() { comparing.emplace(ReconcilerOptions{.compare_hour = 2}, clinic.releaser); }

    std::optional<Reconciler> comparing{std::in_place, ReconcilerOptions{.compare_hour = no_hour}, clinic.releaser};
};

} // namespace clinic::crm
