#include "tests/model/program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "daemon/crm/objects.h"
#include "daemon/records/consents.h"
#include "daemon/records/patients.h"
#include "tests/emulator/handlers.h"
#include "tests/model/check.h"
#include "tests/model/seeded_random.h"

namespace clinic::model {
namespace {

using namespace std::chrono_literals;
using emulator::Fault;
using records::ConsentScope;
using records::ConsentState;

constexpr int steps = 70, unheard_deletions = 6, unheard_changes = 4;

std::uint64_t seeded(std::uint64_t seed) {
    seed_random(seed);
    return seed;
}

// By the seed, so that it takes no turn of the program's own.
BoxOptions options_of(std::uint64_t seed, Weakness weakness) {
    static constexpr std::array all{Beside::nothing, Beside::cases, Beside::bookings_told, Beside::all, Beside::all};
    BoxOptions out;
    out.beside = weakness == Weakness::beside_unlooked ? Beside::all : all.at(seed % all.size());
    out.oauth = seed % 2 == 0;
    return out;
}

} // namespace

Program::Program(std::uint64_t seed, Weakness weakness) : box{options_of(seeded(seed), weakness)}, random_{seed} {
    box.weakness = weakness;
    box.weak_now = [this] { return !calm_ && chance(12); };
    box.meanwhile = [this](Instant instant) { meanwhile(instant); };
    box.knob("index_lag_ms", below(3) == 0 ? 30'000 : 300);
}

void Program::note(const std::string& what) const {
    if (!story_) return;
    std::printf("%s (box %+lld s) %s\n", base::rfc3339(box.truth.now()).c_str(),
                static_cast<long long>((box.clock.now() - box.truth.now()).count() / 1'000'000), what.c_str());
}

void Program::tell_story() {
    story_ = true;
    box.heard_one = [this](const Box::Heard& heard) {
        if ((heard.method != "GET" || heard.target.starts_with("/contacts/")) && !heard.target.ends_with("/search"))
            note("  GHL gets " + heard.method + " " + heard.target + " " + heard.body);
        if (heard.target == "/contacts/search" && heard.body.find("dateUpdated") == std::string::npos)
            note("  GHL gets a look-up " + heard.body);
    };
}

void Program::something_fails() {
    static constexpr std::array kinds{Fault::timeout_after_effect,
                                      Fault::created_422,
                                      Fault::server_error,
                                      Fault::html_body,
                                      Fault::token_expired,
                                      Fault::rate_limited,
                                      Fault::silent_429,
                                      Fault::html_429,
                                      Fault::message_as_text,
                                      Fault::accepted_and_dropped,
                                      Fault::forbidden,
                                      Fault::scope_lost,
                                      Fault::contended,
                                      Fault::timeout_said,
                                      Fault::dated_429,
                                      Fault::gzip_unasked,
                                      Fault::duplicate_400};
    const auto kind = any(kinds);
    const bool storm = kind == Fault::rate_limited || kind == Fault::server_error;
    note(std::string{"fault: "} + emulator::name(kind));
    box.fault(kind, storm ? 1 + below(6) : 1);
    ++counts.faults;
}

void Program::clock_steps() {
    ++counts.clock_steps;
    if (chance(50)) return box.set_clock_right(), box.synchronised = true, void();
    const auto by = 1min * (below(181) - 90);
    set_back_ = set_back_ || by < 0min;
    box.step_clock(by);
    box.synchronised = chance(50); // the kernel may not have noticed
}

// Anything may happen between two requests of one delivery.
void Program::meanwhile(Instant instant) {
    if (story_ && !calm_) note("    instant " + std::to_string(static_cast<int>(instant)));
    if (calm_ || inside_ || !chance(6)) return;
    inside_ = true;
    switch (below(6)) {
    case 0:
    case 1: clinic_does(); break;
    case 2:
    case 3: ghl_does(); break;
    case 4:
        note("clinicd is killed");
        box.kill_clinicd();
        break;
    default:
        note("clinic-syncd is killed");
        box.kill_syncd();
        break;
    }
    inside_ = false;
}

void Program::cycle(base::Micros span, bool keep_house) {
    box.pass(span);
    deliver_webhooks();
    for (int i = 0; i < 3; ++i) {
        box.turn();
        box.pass(20s);
    }
    box.poll();
    if (keep_house && box.clinicd->health.clock_trusted()) (void)box.clinicd->housekeeping.look(false);
}

void Program::run() {
    for (int i = 0; i < steps; ++i) {
        const int how_long = below(100);
        box.pass(how_long < 70   ? 1s * (1 + below(20))
                 : how_long < 92 ? 1s * (20 + below(300))
                                 : 1min * (10 + below(90)));
        deliver_webhooks();
        for (int n = 1 + below(3); n > 0; --n) chance(62) ? clinic_does() : ghl_does();
        if (chance(box.options.beside == Beside::nothing ? 22 : 34)) something_fails();
        if (chance(7)) clock_steps();
        if (chance(5)) note("clinicd is killed at rest"), box.kill_clinicd();
        if (chance(5)) box.kill_syncd();
        box.turn();
        if (chance(45)) {
            const auto round = box.poll();
            note("  polled: " + round.code + " " + std::to_string(round.requests));
        }
        if (chance(10) && box.clinicd->health.clock_trusted()) (void)box.clinicd->housekeeping.look(chance(20));
    }
    const auto drawn = random_; // what comes behind is as it would be without
    for (int i = 0; i < unheard_deletions; ++i) user_deletes_unheard();
    for (int i = 0; i < unheard_changes; ++i) user_changes_booking_unheard();
    random_ = drawn;
}

// As an operator does who reads what the comparison says. True: there was something to do.
bool Program::repair() {
    bool any = false;
    for (const char* kind :
         {"fields", "tags", "do_not_disturb", "marker", "gone", "orphan", "opportunity", "booking"}) {
        const auto answer = box.ask("sync-repair", {{"kind", kind}});
        if (!answer.data) wrong_.push_back("a repair is refused");
        any = any || (answer.data && answer.data->value("put_again", 0) > 0);
    }
    close_strangers();
    const bool settled = settle();
    const auto retried = box.ask("sync-dead-retry", {{"all", true}});
    go_on_erasing();
    const bool erases = std::ranges::any_of(patients_, [](const auto& one) { return one.erasing && !one.erased; });
    return any || settled || erases || (retried.data && retried.data->value("retried", 0) > 0);
}

void Program::close_strangers() {
    if (!box.tells_cases()) return;
    const auto all = box.ghl_state()["opportunities"];
    for (const auto& one : all)
        if (one["name"] == by_somebody && one["status"] == "open")
            box.by_hand("PUT", "/opportunities/" + one["id"].get<std::string>(), {{"status", "won"}});
}

bool Program::settle() {
    if (!box.tells_bookings()) return false;
    const auto listed = box.ask("link-list", Json::object());
    bool any = false;
    for (const auto& one : listed.data->at("conflicts")) {
        const std::string field = one["field"], id = one["id"];
        if (!field.starts_with("booking_")) continue;
        const bool clinic = chance(60);
        const auto done = box.ask("link-settle", {{"number", one["number"]},
                                                  {"winner", clinic ? "clinic" : "ghl"},
                                                  {"reason", "the front desk has looked"}});
        note("settled " + field + " of " + id + (clinic ? " for the clinic" : " for GHL"));
        if (!done.data) wrong_.push_back("a difference cannot be settled");
        any = any || clinic;
        if (!clinic) {
            called_off_.insert(id);
            continue;
        }
        called_off_.erase(id);
        bookings_gone_.erase(id);
    }
    return any;
}

// A consent, or the hours that an appointment counts as today's: what is right changes while it is looked at.
bool Program::something_ends_now() const {
    const Timestamp now = box.true_time();
    const auto is_near = [&](Timestamp at) { return at > now - 30min && at < now + 30min; };
    return std::ranges::any_of(patients_, [&](const Patient& patient) {
        return std::ranges::any_of(
                   patient.said, [&](const auto& one) { return one.second.expires && is_near(*one.second.expires); }) ||
               std::ranges::any_of(patient.visits, [&](const auto& one) {
                   const auto& start = one.second.start;
                   return is_near(start + base::Micros{grace_us}) ||
                          (box.tells_bookings() && is_near(start + base::Micros{visit_us}));
               });
    });
}

void Program::quiet() {
    calm_ = true;
    box.ghl->service().answer({"POST", "/_faults", {}, R"({"fault":"none"})"});
    box.set_clock_right();
    box.synchronised = true;
    box.start_syncd();
    note("quiet");
    for (int i = 0; i < 20; ++i) cycle(3min, i % 5 == 0);
    for (int i = 0; i < 26; ++i) {
        cycle(1h, true);
        go_on_erasing();
    }
    for (int i = 0; i < 6; ++i) {
        box.compare();
        if (!repair() && i > 1) break;
        for (int n = 0; n < 6; ++n) cycle(3min, false);
    }
    box.compare();
    // What is shown is looked at on one day, far from where anything begins or ends.
    constexpr std::int64_t day_us = 86'400'000'000, late = day_us - 3'600'000'000;
    for (;;) {
        const auto of_day = box.true_time().micros % day_us;
        if (of_day > late)
            cycle(base::Micros{day_us - of_day} + 5min, false);
        else if (something_ends_now())
            cycle(10min, true);
        else
            break;
    }
    (void)box.clinicd->housekeeping.look(true); // as a midnight would: what has aged by now is told
    for (int n = 0; n < 3; ++n) cycle(3min, false);
}

// A patient who may be told, and whose contact is as it was meant.
std::optional<std::pair<records::PatientId, std::string>> Program::someone_told() {
    std::optional<std::pair<records::PatientId, std::string>> out;
    for (const auto& one : patients_) {
        if (out || !one.is_there() || !one.active || one.was_merged) continue;
        box.clinicd->write([&](records::Transaction& txn) -> Result<void> {
            const auto found = records::find_by_index(txn, "number_any", one.number);
            CLINIC_TRY(found);
            const auto facts = records::patient_facts(txn, found->front());
            CLINIC_TRY(facts);
            const auto sync = release::consent_at(*facts, ConsentScope::crm_sync, txn.now());
            const auto contact = outbox::Links::contact(txn, found->front());
            CLINIC_TRY(contact);
            if (!contact->empty() && (!sync || sync == ConsentState::granted)) out.emplace(found->front(), *contact);
            return {};
        });
    }
    return out;
}

int Program::recorded(const std::string& contact, crm::Field field) {
    int out = 0;
    box.clinicd->write([&](records::Transaction& txn) -> Result<void> {
        const auto object = crm::find(txn, envelope::CrmKind::contact, contact);
        CLINIC_TRY(object);
        if (!*object) return {};
        const auto count = crm::recorded_since(txn, (*object)->row, field, txn.now() - 1h);
        CLINIC_TRY(count);
        out = *count;
        return {};
    });
    return out;
}

void Program::calm_hour() {
    const auto one = someone_told();
    if (!one) return;
    const auto& [patient, contact] = *one;
    const auto change = [&](const Json& body) {
        box.pass(5s);
        box.by_hand("PUT", "/contacts/" + contact, body);
        cycle(3min, false);
    };
    Json field;
    field["id"] = emulator::field_ce_stage;
    field["field_value"] = "lapsed";
    change({{"customFields", Json::array({field})}});
    if (recorded(contact, crm::Field::stage) == 0) wrong_.push_back("a field that GHL changed is not recorded");
    change({{"dnd", false}});
    change({{"dnd", true}});
    box.clinicd->write([&, patient = patient](records::Transaction& txn) -> Result<void> {
        const auto facts = records::patient_facts(txn, patient);
        CLINIC_TRY(facts);
        for (const auto scope : {ConsentScope::reminders, ConsentScope::marketing})
            if (release::consent_at(*facts, scope, txn.now()) != ConsentState::revoked)
                wrong_.push_back(std::string{"do-not-disturb in GHL has not ended the consent to "} +
                                 records::name(scope));
        return {};
    });
    for (auto& any_of_them : patients_) any_of_them.stopped_in_ghl = true;
    cycle(3min, false);
    box.by_hand("DELETE", "/contacts/" + contact, nullptr);
    own_tags_.erase(contact);
    box.tell({.id = contact,
              .kind = envelope::CrmKind::contact,
              .read_ms = box.true_time().micros / 1'000,
              .said = std::monostate{}});
    if (recorded(contact, crm::Field::contact_deleted) == 0)
        wrong_.push_back("a contact that GHL deleted is not recorded");
    quiet();
}

const std::vector<std::string>& Program::wrong() {
    Check{*this}.all();
    return wrong_;
}

} // namespace clinic::model
