#include "daemon/release/preview.h"

#include "daemon/records/last_change.h"

namespace clinic::release {
namespace {

using envelope::Kind;
using outbox::Outbox;

constexpr const char* no_contact = "no_contact"; // as the outbox calls it

struct Person {
    records::PatientFacts facts;
    bool has_contact = false;
    bool was_told = false; // of which GHL holds a state from us
};

void count(Counted& into, Kind kind, const char* stays_because) {
    if (stays_because == nullptr)
        ++into.leaves[envelope::name(kind)];
    else
        ++into.stays[envelope::name(kind)][stays_because];
}

void judge(const Person& person, const Policy& policy, const Moment& moment, Counted& into) {
    const Decision decision = decide(person.facts, policy, moment, std::nullopt);
    const char* held = decision.may_leave ? nullptr : name(decision.because).c_str();
    if (held == nullptr && decision.clock_holds) held = "clock";
    if (held == nullptr && !person.has_contact && policy.unlinked == Unlinked::park) held = no_contact;
    count(into, Kind::contact_state, held);
    if (!person.facts.appointments.empty()) count(into, Kind::appt_state, held);
    if (decision.suppress && person.was_told)
        count(into, Kind::contact_suppress, decision.clock_holds ? "clock" : nullptr);
}

Result<Person> person_of(records::Session& session, records::PatientId patient) {
    auto facts = records::patient_facts(session, patient);
    CLINIC_TRY(facts);
    const auto contact = outbox::Links::contact(session, patient);
    CLINIC_TRY(contact);
    const auto said = Outbox::last_said(session, envelope::Destination::crm, patient, Kind::contact_state);
    CLINIC_TRY(said);
    return Person{std::move(*facts), !contact->empty(), !said->content.empty()};
}

} // namespace

Result<void> preview(records::Session& session, const Question& question, int rows_max, Preview& counted) {
    const auto patients = records::active_patients(session, counted.next, rows_max);
    CLINIC_TRY(patients);
    for (const records::PatientId patient : *patients) {
        const auto changed = records::last_change(session, patient);
        CLINIC_TRY(changed);
        if (*changed < question.since) continue;
        const auto person = person_of(session, patient);
        CLINIC_TRY(person);
        ++counted.patients;
        judge(*person, question.now, question.moment, counted.now);
        judge(*person, question.then, question.moment, counted.then);
    }
    counted.next.reset();
    if (patients->size() == static_cast<std::size_t>(rows_max)) counted.next = patients->back();
    return {};
}

} // namespace clinic::release
