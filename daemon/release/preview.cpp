#include "daemon/release/preview.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "crypto/base/json.h"
#include "daemon/records/last_change.h"

namespace clinic::release {
namespace {

using envelope::Kind;
using envelope::MetadataEnvelope;
using outbox::Beside;
using outbox::Held;
using records::PatientId;
using records::Transaction;

constexpr const char* no_contact = "no_contact"; // as the outbox calls it
constexpr const char* clock = "clock";
constexpr std::size_t rehearsed_at_once = 10; // others wait for the writer meanwhile

struct Heard {
    MetadataEnvelope envelope;
    std::optional<std::int64_t> number;
};

bool takes_back(const MetadataEnvelope& envelope) {
    return envelope.kind() == Kind::contact_suppress || ends_case(envelope) || calls_off(envelope);
}

// The fields of its kind alone: what all envelopes carry says nothing of anybody.
Result<void> count_fields(const MetadataEnvelope& envelope, Counts& fields) {
    const auto said = base::parse_json(envelope.content(), envelope::envelope_bytes_max, 2);
    CLINIC_TRY(said);
    for (const auto& [key, value] : said->items())
        if (key != "v" && key != "kind" && key != "pid" && key != "site") ++fields[key];
    return {};
}

// Of somebody of whom nothing may be said: what there would be to say.
void count_silence(const records::PatientFacts& facts, const Settings& settings, Timestamp now, const char* why,
                   Counted& into) {
    const auto stays = [&](Kind kind) { ++into.stays[envelope::name(kind)][why]; };
    stays(Kind::contact_state);
    if (!facts.appointments.empty()) stays(Kind::appt_state);
    if (settings.cases.told) stays(Kind::case_state);
    if (!settings.bookings.told || !settings.bookings.create) return;
    for (const BookingState& state : bookings_of(facts, now))
        if (state.ahead) stays(Kind::booking_state);
}

// What a person in GHL stands against, and so is not said.
Result<void> count_held(Transaction& txn, PatientId patient, const Settings& settings, const std::vector<Heard>& heard,
                        Counted& into) {
    const auto all = Beside::all(txn, patient);
    CLINIC_TRY(all);
    for (const auto& one : *all) {
        const bool told = one.kind == Kind::case_state ? settings.cases.told : settings.bookings.told;
        const bool is_said = std::ranges::find(heard, std::optional{one.number}, &Heard::number) != heard.end();
        if (told && one.held != Held::no && !is_said)
            ++into.stays[envelope::name(one.kind)][name(Because::held_in_ghl).c_str()];
    }
    return {};
}

Result<void> judge(Transaction& txn, Releaser& releaser, PatientId patient, const Settings& settings, Counted& into) {
    std::vector<Heard> heard;
    const auto decision = releaser.rehearse(txn, patient, settings, [&](const auto& envelope, auto number) {
        heard.push_back({envelope, number});
    });
    CLINIC_TRY(decision);
    const auto contact = outbox::Links::contact(txn, patient);
    CLINIC_TRY(contact);
    const bool parks = contact->empty() && settings.policy.unlinked == Unlinked::park;
    for (const auto& [envelope, number] : heard) {
        const char* kind = envelope::name(envelope.kind());
        const char* held = decision->clock_holds ? clock : parks && !takes_back(envelope) ? no_contact : nullptr;
        if (held != nullptr) {
            ++into.stays[kind][held];
            continue;
        }
        ++into.leaves[kind];
        CLINIC_TRY(count_fields(envelope, into.fields[kind]));
    }
    if (decision->contact) return count_held(txn, patient, settings, heard, into);
    const auto facts = records::patient_facts(txn, patient);
    CLINIC_TRY(facts);
    count_silence(*facts, settings, txn.now(), name(decision->because).c_str(), into);
    return {};
}

Result<std::vector<PatientId>> changed_since(records::Store& store, Timestamp since, int rows_max, Preview& counted) {
    std::vector<PatientId> out;
    CLINIC_TRY(store.read([&](records::Snapshot& session) -> Result<void> {
        out.clear();
        const auto patients = records::active_patients(session, counted.next, rows_max);
        CLINIC_TRY(patients);
        for (const PatientId patient : *patients) {
            const auto changed = records::last_change(session, patient);
            CLINIC_TRY(changed);
            if (*changed >= since) out.push_back(patient);
        }
        counted.next.reset();
        if (patients->size() == static_cast<std::size_t>(rows_max)) counted.next = patients->back();
        return {};
    }));
    return out;
}

} // namespace

Result<void> preview(records::Store& store, Releaser& releaser, const Question& question, int rows_max,
                     Preview& counted) {
    const auto people = changed_since(store, question.since, rows_max, counted);
    CLINIC_TRY(people);
    for (std::size_t from = 0; from < people->size(); from += rehearsed_at_once) {
        const std::size_t until = std::min(from + rehearsed_at_once, people->size());
        CLINIC_TRY(store.write([&](Transaction& txn) -> Result<void> {
            for (std::size_t i = from; i < until; ++i) {
                CLINIC_TRY(judge(txn, releaser, (*people)[i], question.now, counted.now));
                CLINIC_TRY(judge(txn, releaser, (*people)[i], question.then, counted.then));
            }
            return {};
        }));
    }
    counted.patients += static_cast<std::int64_t>(people->size());
    return {};
}

} // namespace clinic::release
