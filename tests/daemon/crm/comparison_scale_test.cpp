// The full comparison of many: what it costs grows with how many there are and no faster, a step of it is short, and a
// restart in its middle repeats none of them. tests/bench/run comparison has the figures of 100,000.
#include "daemon/outbox/beside.h"
#include "tests/daemon/crm/comparison_fixture.h"

namespace clinic::crm {
namespace {

constexpr const char* a_pipeline = "PIPELINE1";
constexpr const char* a_stage = "STAGENEW1";
constexpr std::size_t page = 100;

class ComparisonOfMany : public FullComparison {
protected:
    ComparisonOfMany() {
        clinic.releaser.tell_cases({.told = true});
        clinic.releaser.tell_bookings({.told = true, .create = true}, find_booking);
        options.compare_hour = no_hour;
        options.pipeline = {a_pipeline, {"", a_stage, "", "", "", "", ""}};
        reconciler.emplace(options, clinic.releaser);
        comparing.emplace(options, clinic.releaser);
    }

    // So many more, each with an opportunity and every fifth with a booking, as GHL shows them.
    void add(int people) {
        const Timestamp begin = at_ten();
        for (const int until = added_ + people; added_ < until; ++added_) {
            const std::string number = std::to_string(1'000 + added_), id = "GHLcontact" + number;
            const auto patient = linked(number, id);
            auto said = as_said(patient);
            if (added_ % 5 == 0) {
                clinic.book(patient, "A" + number, begin);
                clinic.deliver(false);
                said.next = said.appt_when = "d0_2";
                said.appt_status = "booked";
            }
            contacts_.push_back(contact(id, said));
            clinic.write([&](records::Transaction& txn) -> Result<void> {
                const auto all = outbox::Beside::all(txn, patient);
                CLINIC_TRY(all);
                for (const auto& one : *all) beside_.push_back({one.kind, id, one.object});
                return {};
            });
        }
        for (const auto& one : beside_) {
            if (one.kind != envelope::Kind::case_state) {
                take(booking(one.object, begin, envelope::Booking::new_, one.contact));
                continue;
            }
            auto fact = contact(one.object);
            fact.kind = CrmKind::opportunity;
            fact.said = envelope::CrmOpportunity{one.contact, a_pipeline, a_stage, envelope::Case::open};
            take(fact);
        }
        beside_.clear();
        clinic.clock.advance(std::chrono::minutes{5});
    }

    struct Cost {
        std::uint64_t work = 0, worst = 0; // of SQLite's virtual machine: all, and of one transaction
        int steps = 0;
    };
    std::uint64_t work() {
        std::uint64_t out = 0;
        for (const auto& one : clinic.store->statements()) out += one.machine_steps;
        return out;
    }
    // From its asking to its end; `restart_at`: clinicd and clinic-syncd are gone after so many steps.
    Cost compare_all(int restart_at = -1) {
        Cost cost;
        const auto begin = work();
        ask();
        const auto measured = [&](const CrmWalk& done) {
            if (cost.steps++ == restart_at) comparing.emplace(options, clinic.releaser);
            const auto before = work();
            auto terms = step(done);
            cost.worst = std::max(cost.worst, work() - before);
            return terms;
        };
        auto terms = measured({});
        for (std::size_t from = 0; terms.step == WalkStep::read; from += page) {
            CrmWalk done{.walk = terms.walk, .requests = 1};
            for (std::size_t i = from; i < std::min(from + page, contacts_.size()); ++i) {
                contacts_[i].read_ms = now_ms();
                take(contacts_[i]);
                done.reached_ms = contacts_[i].updated_ms;
            }
            done.whole = from + page >= contacts_.size();
            terms = measured(done);
        }
        while (terms.step == WalkStep::go_on) terms = measured({.walk = terms.walk});
        EXPECT_EQ(terms.step, WalkStep::rest) << "nothing is left to be read by itself";
        cost.work = work() - begin;
        return cost;
    }

private:
    struct Beside {
        envelope::Kind kind;
        std::string contact, object;
    };
    int added_ = 0;
    std::vector<CrmFact> contacts_;
    std::vector<Beside> beside_;
};

TEST_F(ComparisonOfMany, CostsForEachTheSameAndGoesOnInItsMiddle) {
    add(120);
    const auto few = compare_all();
    EXPECT_EQ(newest_ended()->compared, 120);
    add(360);
    const auto many = compare_all(7);
    EXPECT_EQ(newest_ended()->compared, 480) << "none of them twice";
    EXPECT_EQ(newest_ended()->requests, 5);
    EXPECT_EQ(counts().contacts, 0);
    std::printf("a comparison of 120: %llu of SQLite's steps, %llu at most in one transaction; of 480: %llu, %llu\n",
                static_cast<unsigned long long>(few.work), static_cast<unsigned long long>(few.worst),
                static_cast<unsigned long long>(many.work), static_cast<unsigned long long>(many.worst));
    EXPECT_LT(many.work, few.work * 5);
    EXPECT_LT(many.worst, few.worst * 3 / 2) << "100 links a transaction";
}

} // namespace
} // namespace clinic::crm
