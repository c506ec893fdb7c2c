// 24 simulated hours of a busy clinic with the polling on, over the whole box: what it asks of GHL, and how soon what
// changes in GHL is seen.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>

#include "daemon/crm/objects.h"
#include "sync/envelope/crm_reads.h"
#include "sync/envelope/crm_strip.h"
#include "tests/daemon/release/clinic.h"
#include "tests/emulator/handlers.h"
#include "tests/model/box.h"
#include "tests/model/seeded_random.h"
#include "tests/traffic/busy_day.h"

namespace clinic::model {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* hours_of_the_clinic = "sun-sat 08:00-18:00";
constexpr double requests_a_day = 200'000;

// The box, driven from one event to the next.
class Day {
public:
    explicit Day(Beside beside)
        : box{{.coalesce = {.window = 60s, .quiet = 15s},
               .answer_time = 110ms,
               .hours = poll::Hours::parse(hours_of_the_clinic),
               .call_max = std::chrono::seconds{20},
               .beside = beside}} {
        seed_random(1);
    }

    void at(Timestamp when, std::function<void()> what) { events_.emplace(when, std::move(what)); }
    Timestamp now() const { return box.true_time(); }

    void run_until(Timestamp end) {
        while (now() < end) {
            const auto next = std::min({end, next_event(), poll_at_, due(), report_at_});
            if (next > now()) box.pass(next - now());
            while (!events_.empty() && events_.begin()->first <= now()) {
                const auto what = std::move(events_.begin()->second);
                events_.erase(events_.begin());
                what();
            }
            box.turn();
            report_at_ = now() + 5s;
            if (now() >= poll_at_) poll();
        }
    }

    // What somebody does in GHL, and when the box knows of it.
    void changed(envelope::CrmKind kind, const json& object) {
        if (const auto fact = envelope::strip(kind, object, box.rules, 1)) unseen_.push_back({*fact, now()});
    }
    bool in_hours(Timestamp when) const {
        const auto hour = when.micros / 3'600'000'000 % 24;
        return hour >= 8 && hour < 18;
    }

    Box box;
    std::vector<double> seen_busy, seen_quiet; // s
    int rounds = 0, failed_rounds = 0, refused_rounds = 0;
    std::size_t never() const { return unseen_.size(); }

private:
    struct Unseen {
        envelope::CrmFact fact;
        Timestamp at;
    };
    Timestamp next_event() const { return events_.empty() ? Timestamp{INT64_MAX} : events_.begin()->first; }
    Timestamp due() {
        Timestamp out{INT64_MAX};
        EXPECT_TRUE(box.clinicd->store->read([&](records::Snapshot& session) -> Result<void> {
            const auto next = outbox::Outbox::next_due(session, envelope::Destination::crm);
            CLINIC_TRY(next);
            if (*next) out = std::max(**next, now() + 100ms);
            return {};
        }));
        return out;
    }
    void poll() {
        const auto round = box.poll();
        ++rounds;
        failed_rounds += round.code.empty() ? 0 : 1;
        refused_rounds += round.code == "throttled" ? 1 : 0;
        poll_at_ = now() + (round.code.empty() ? box.syncd->poller.rest_after(round.requests) : base::Micros{2s});
        std::erase_if(unseen_, [&](const Unseen& one) {
            const auto known = seen(one.fact);
            if (!known || known->fact.updated_ms < one.fact.updated_ms) return false;
            (in_hours(one.at) ? seen_busy : seen_quiet)
                .push_back(std::chrono::duration<double>(now() - one.at).count());
            return true;
        });
    }
    std::optional<crm::Object> seen(const envelope::CrmFact& fact) {
        std::optional<crm::Object> out;
        EXPECT_TRUE(box.clinicd->store->read([&](records::Snapshot& session) -> Result<void> {
            auto found = crm::find(session, fact.kind, fact.id);
            CLINIC_TRY(found);
            out = std::move(*found);
            return {};
        }));
        return out;
    }

    std::multimap<Timestamp, std::function<void()>> events_;
    std::vector<Unseen> unseen_;
    Timestamp poll_at_{}, report_at_{};
};

// As a busy day speaks to it: by the records, as intake does.
struct PracticeOfTheDay {
    using Who = records::PatientId;
    Day* day;
    Timestamp now() const { return day->now(); }
    void at(Timestamp when, std::function<void()> what) { day->at(when, std::move(what)); }
    Who person(const std::string& number, const std::string& family) {
        Who out;
        day->box.clinicd->write([&](records::Transaction& txn) -> Result<void> {
            const auto why = release::testing::Clinic::disclose(txn);
            CLINIC_TRY(why);
            records::PatientChange change;
            change.identifiers.push_back({"CLINIC", "MR", records::PhiText{std::string{number}}});
            change.family = records::Said<records::PhiText>::given(records::PhiText{std::string{family}});
            const auto upserted = records::upsert_patient(txn, *why, change, stamp(), false);
            CLINIC_TRY(upserted);
            out = upserted->id;
            return day->box.clinicd->releaser.changed(txn, out, std::nullopt);
        });
        return out;
    }
    void book(const Who& who, const std::string& key, Timestamp start, records::AppointmentStatus status) {
        day->box.clinicd->write([&](records::Transaction& txn) -> Result<void> {
            const auto why = release::testing::Clinic::disclose(txn);
            CLINIC_TRY(why);
            records::AppointmentChange change;
            change.key = records::PhiText{std::string{key}};
            change.name_space = "CLINIC";
            change.status = status;
            change.start = start;
            const auto upserted = records::upsert_appointment(txn, *why, who, change, stamp(), false);
            CLINIC_TRY(upserted);
            return day->box.clinicd->releaser.changed(txn, who, upserted->id);
        });
    }
    records::Stamp stamp() {
        day->box.pass(1ms); // each message is said later than the one before
        return {"TEST|CLINIC", day->now()};
    }
};

// What people in GHL do all day, and now and then at night.
class PeopleInGhl {
public:
    explicit PeopleInGhl(Day& day) : day_{day} {}
    void plan() {
        const auto begin = day_.now();
        for (int i = 0; i < 300; ++i) day_.at(begin + 8h + some(10h), [this] { one(); });
        for (int i = 0; i < 100; ++i) day_.at(begin + some(24h), [this] { one(); });
        for (int i = 0; i < 10; ++i) day_.at(begin + 8h + some(60s), [this] { one(); }); // as the clinic opens
    }

private:
    base::Micros some(base::Micros span) {
        return base::Micros{std::uniform_int_distribution<std::int64_t>{0, span.count()}(random_)};
    }
    int below(int limit) { return std::uniform_int_distribution<int>{0, limit - 1}(random_); }
    void tell(envelope::CrmKind kind, const char* name, const emulator::Answer& answer) {
        if (answer.status < 300) day_.changed(kind, json::parse(answer.body)[name]);
    }
    void one() {
        auto& box = day_.box;
        box.pass(10ms);
        const int what = below(10);
        if (contacts_.empty() || what < 3) {
            const auto made = box.by_hand("POST", "/contacts/",
                                          {{"locationId", box.rules.location},
                                           {"firstName", "Wilhelmina"},
                                           {"tags", {"spring"}},
                                           {"source", "website"}});
            contacts_.push_back(json::parse(made.body)["contact"]["id"]);
            return tell(envelope::CrmKind::contact, "contact", made);
        }
        const std::string contact = contacts_.at(static_cast<std::size_t>(below(static_cast<int>(contacts_.size()))));
        if (what < 6) {
            box.by_hand("POST", "/contacts/" + contact + "/tags", {{"tags", {"vip" + std::to_string(below(1'000))}}});
            return tell(envelope::CrmKind::contact, "contact", box.by_hand("GET", "/contacts/" + contact, nullptr));
        }
        if (what < 8) {
            const auto start = box.quarter_after(24h + 15min * ++slots_);
            const auto made = box.book_by_hand(contact, start);
            if (made.status >= 300) return;
            const std::string id = json::parse(made.body)["id"];
            return tell(envelope::CrmKind::appointment, "event",
                        box.by_hand("GET", "/calendars/events/appointments/" + id, nullptr));
        }
        const auto made = box.open_opportunity_by_hand(contact);
        if (made.status < 300)
            tell(envelope::CrmKind::opportunity, "opportunity",
                 box.by_hand("GET", "/opportunities/" + json::parse(made.body)["opportunity"]["id"].get<std::string>(),
                             nullptr));
    }

    Day& day_;
    std::mt19937 random_{20'261'127};
    std::vector<std::string> contacts_;
    int slots_ = 0;
};

double worst(const std::vector<double>& all) {
    return all.empty() ? 0 : *std::ranges::max_element(all);
}

int refused(Box& box) {
    int out = 0;
    EXPECT_TRUE(box.clinicd->store->read([&](records::Snapshot& session) -> Result<void> {
        for (std::int64_t after = 0;;) {
            const auto lines = outbox::Ledger::lines(session, after, 500);
            CLINIC_TRY(lines);
            if (lines->empty()) return {};
            for (const auto& line : *lines) out += line.status == 429 ? 1 : 0;
            after = lines->back().attempt;
        }
    }));
    return out;
}

// What was asked of GHL, by what it is about.
struct Asked {
    int contacts = 0, cases = 0, bookings = 0; // writes
    int look_ups = 0;                          // read-backs, probes, and what is looked for before it is made again
    int polls_busy = 0, polls_quiet = 0;
    int writes() const { return contacts + cases + bookings; }
};

Asked asked_since(const Day& day, std::size_t before) {
    Asked out;
    const auto heard = day.box.heard();
    for (std::size_t i = before; i < heard.size(); ++i) {
        if (is_poll(heard[i]))
            ++(day.in_hours(heard[i].at) ? out.polls_busy : out.polls_quiet);
        else if (heard[i].method == "GET" || heard[i].target == "/contacts/search")
            ++out.look_ups;
        else
            ++(heard[i].target.starts_with("/opportunities") ? out.cases
               : heard[i].target.starts_with("/calendars")   ? out.bookings
                                                             : out.contacts);
    }
    return out;
}

// The writes to contacts are as many as without anything beside them; those beside them are bounded each by itself.
void a_busy_day(Beside beside, const char* name, double writes_a_change_max) {
    Day day{beside};
    traffic::BusyDay<PracticeOfTheDay> clinic{PracticeOfTheDay{&day}};
    constexpr std::int64_t day_us = 86'400'000'000;
    day.box.pass(base::Micros{day_us - day.now().micros % day_us} - 2h); // ten in the evening
    clinic.evening_before();
    day.run_until(day.now() + 2h);
    const auto before = day.box.heard().size();
    const Timestamp begin = day.now();
    clinic.changes = 0;
    clinic.plan();
    PeopleInGhl people{day};
    people.plan();
    day.run_until(begin + 24h);
    day.run_until(day.now() + 5min); // what was done last is seen
    const auto asked = asked_since(day, before);
    const double quiet_share = asked.polls_quiet * (24.0 / 14.0) / requests_a_day,
                 busy_share = asked.polls_busy * 2.4 / requests_a_day;
    std::printf("a day %s: %d changes, %d writes (%.2f a change: contacts %d, opportunities %d, bookings %d), %d "
                "look-ups; %d requests of the polling in the clinic's hours (%.1f %% were it always so) and %d outside "
                "(%.2f %%); %d rounds, %d failed; seen in hours %zu, at most %.1f s; outside %zu, at most %.1f s\n",
                name, clinic.changes, asked.writes(), 1.0 * asked.writes() / clinic.changes, asked.contacts,
                asked.cases, asked.bookings, asked.look_ups, asked.polls_busy, 100 * busy_share, asked.polls_quiet,
                100 * quiet_share, day.rounds, day.failed_rounds, day.seen_busy.size(), worst(day.seen_busy),
                day.seen_quiet.size(), worst(day.seen_quiet));
    EXPECT_EQ(refused(day.box) + day.refused_rounds, 0) << "429";
    EXPECT_LE(quiet_share, 0.03);
    EXPECT_LE(busy_share, 0.15);
    EXPECT_LT(asked.writes() + asked.polls_busy + asked.polls_quiet, requests_a_day / 10) << "of the day's requests";
    EXPECT_LE(asked.contacts, clinic.changes / 2) << "whatever is beside them";
    EXPECT_LE(asked.writes(), writes_a_change_max * clinic.changes);
    EXPECT_EQ(day.never(), 0U);
    EXPECT_GE(day.seen_busy.size() + day.seen_quiet.size(), 350U);
    EXPECT_LE(worst(day.seen_busy), 60);
    EXPECT_LE(worst(day.seen_quiet), 300);
    EXPECT_LE(day.failed_rounds, day.rounds / 50) << "one that finds no room is made again at once";
}

TEST(Day, OfABusyClinicKeepsItsBudgetAndSeesGhlInTime) {
    a_busy_day(Beside::nothing, "of contacts", 0.5);
}

TEST(Day, WithAPipelineIsARequestMoreForEachCase) {
    a_busy_day(Beside::cases, "with a pipeline", 0.52);
}

} // namespace
} // namespace clinic::model
