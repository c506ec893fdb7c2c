// One valid envelope of each kind, and one valid frame of each type.
#pragma once

#include <string>
#include <vector>

#include "sync/envelope/frame.h"

namespace clinic::envelope::samples {

inline Pseudonym pseudonym(char letter, char digit) {
    return *Pseudonym::parse(std::string{letter} + "_" + std::string(26, digit), letter);
}

inline MetadataEnvelope begun(Kind kind) {
    MetadataEnvelope envelope{kind};
    envelope.put(Field::mid, pseudonym('m', '1')).put_site("s_0123456789").put(Field::pid, pseudonym('p', '2'));
    envelope.put_sequence(7);
    return envelope;
}

inline MetadataEnvelope contact_state() {
    return begun(Kind::contact_state)
        .put(Field::stage, Stage::active)
        .put(Field::tags, std::vector<Word>{*Word::parse("recall_due"), *Word::parse("new_patient")})
        .put(Field::channel, Channel::sms)
        .put(Field::last, Bucket::past)
        .put(Field::next, Bucket::d3_7);
}

inline MetadataEnvelope appt_state() {
    return begun(Kind::appt_state)
        .put(Field::aid, pseudonym('a', '3'))
        .put(Field::status, ApptStatus::booked)
        .put(Field::visit, Visit::first)
        .put(Field::when, Bucket::d8_30);
}

inline MetadataEnvelope appt_year() {
    return begun(Kind::appt_state)
        .put(Field::aid, pseudonym('a', '3'))
        .put(Field::status, ApptStatus::completed)
        .put(Field::when, *TimeBucket::year(2026));
}

inline MetadataEnvelope consent_state() {
    return begun(Kind::consent_state)
        .put(Field::scope, Scope::reminders)
        .put(Field::state, Grant::granted)
        .put_revision(2);
}

inline MetadataEnvelope contact_suppress() {
    return begun(Kind::contact_suppress).put(Field::reason, Reason::revoked);
}

inline MetadataEnvelope contact_merge() {
    return begun(Kind::contact_merge).put(Field::old, pseudonym('p', '4'));
}

inline MetadataEnvelope case_state() {
    return begun(Kind::case_state).put(Field::stage, Stage::recall_due).put(Field::outcome, Case::open);
}

inline MetadataEnvelope booking_state() {
    return begun(Kind::booking_state).put(Field::aid, pseudonym('a', '3')).put(Field::booking, Booking::confirmed);
}

inline MetadataEnvelope booking_with_slot() {
    return booking_state().put_slot(1'994'728, 1'994'730);
}

inline std::vector<MetadataEnvelope> all() {
    return {contact_state(), appt_state(), appt_year(),     consent_state(),    contact_suppress(),
            contact_merge(), case_state(), booking_state(), booking_with_slot()};
}

inline CrmFact crm_contact() {
    return {.id = "abcDEF123",
            .kind = CrmKind::contact,
            .updated_ms = 1'795'255'200'000,
            .read_ms = 1'795'255'230'000,
            .said = CrmContact{.pid = "p_22222222222222222222222222",
                               .stage = "active",
                               .last = "past",
                               .next = "none",
                               .appt_status = "booked",
                               .appt_when = "y2027",
                               .dnd = true,
                               .tags = {*Word::parse("new_patient"), *Word::parse("recall_due")},
                               .campaigns = {"autumn", "spring-2026"},
                               .source = "website"}};
}

inline std::vector<Request> requests() {
    Settle settle{.lease = 9,
                  .outcome = Outcome::retry,
                  .code = "http_422",
                  .retry_after_ms = 1'500,
                  .counts_against = true,
                  .contact = "abcDEF123",
                  .steps = {}};
    settle.steps = {{.attempt = 4, .result = StepOutcome::Result::answered, .status = 422},
                    {.attempt = 5, .result = StepOutcome::Result::unknown, .status = 0}};
    Settle goes_on{.lease = 10, .contact = "abcDEF123", .steps = {}, .next = Destination::crm};
    TimeState time;
    time.kernel_synchronised = true;
    time.https_offset_s = -3;
    time.crm = LaneState::paused;
    time.crm_code = "throttled";
    TimeState lacking;
    lacking.read_backs = {20, 3};
    lacking.webhooks = Webhooks{true, 12, 3, 1, 2, 1'795'255'198'000, 1'795'255'100'000};
    lacking.location = {{Part::stage, Lack::missing}, {Part::stage, Lack::options}, {Part::calendar, Lack::unset}};
    return {LeaseRequest{Destination::crm, 20'000},
            LeaseRequest{Destination::crm, 20'000, Least::urgent},
            Attempt{9, Route::contact_fields, "/contacts/abcDEF123", R"({"customFields":[]})"},
            Attempt{9, Route::contact_read, "/contacts/abcDEF123", ""},
            Attempt{0, Route::location_read, "/locations/loc", ""},
            Attempt{0, Route::pipelines_read, "/opportunities/pipelines?locationId=loc", ""},
            Attempt{0, Route::field_create, "/locations/loc/customFields", "{}"},
            settle,
            Settle{},
            Settle{.lease = 9, .contact = "", .object = "oppDEF123", .steps = {}},
            Attempt{9, Route::case_search,
                    "/opportunities/search?location_id=loc&contact_id=abc&pipeline_id=p&limit=20", ""},
            goes_on,
            time,
            TimeState{},
            lacking,
            DeviceRequest{},
            DeviceAck{12},
            crm_contact(),
            CrmFact{.id = "gone1", .kind = CrmKind::opportunity, .updated_ms = 0, .read_ms = 7, .said = {}},
            CrmFact{.id = "appt1",
                    .kind = CrmKind::appointment,
                    .updated_ms = 1'795'255'200'000,
                    .read_ms = 1'795'255'200'001,
                    .said = CrmAppointment{"abcDEF123", "CAL1", Booking::noshow, 1'994'728, 1'994'730}},
            CrmFact{.id = "opp1",
                    .kind = CrmKind::opportunity,
                    .updated_ms = 5,
                    .read_ms = 6,
                    .said = CrmOpportunity{"abcDEF123", "PIPE1", "8f9d3b7e-1c55", Case::won}},
            CrmFact{.id = "LOC1",
                    .kind = CrmKind::location,
                    .updated_ms = 0,
                    .read_ms = 6,
                    .said = CrmLocation{"America/Argentina/Buenos_Aires"}},
            MatchProbe{"abcDEF123", "+15550102030", "5550102030", "mara@example.org"},
            MatchProbe{.contact = "abcDEF123", .phone = "", .national = "", .email = "mara+x@example.org"},
            CrmPolled{"starting", 0},
            CrmPolled{"", 4, 1'795'255'200'000, 1'795'255'260'000},
            CrmWalk{},
            CrmWalk{7, 1'795'255'200'000, true, CrmKind::contact, "", false, 1},
            CrmWalk{0, 0, false, CrmKind::contact, "abcDEF123", true, 1},
            CrmWalk{0, 0, false, CrmKind::opportunity, "abcDEF123", true, 1},
            Attempt{0, Route::contact_read, "/contacts/abcDEF123", ""},
            Attempt{0, Route::case_read, "/opportunities/abcDEF123", ""},
            Attempt{0, Route::booking_read, "/calendars/events/appointments/abcDEF123", ""}};
}

inline Lease lease() {
    Lease lease;
    lease.lease = 9;
    lease.envelope = contact_state();
    lease.contact = "abcDEF123";
    lease.look_up_first = true;
    lease.unsure_ms = 59'000;
    lease.prior_tags = std::vector<Word>{*Word::parse("returning")};
    lease.tries = 2;
    return lease;
}

inline Lease traced() {
    Lease traced = lease();
    traced.prior_tags.reset();
    traced.may_lift = true;
    traced.trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    traced.queued_ms = 1'500;
    traced.heard_us = 12'345;
    return traced;
}

inline Lease joint() {
    Lease joint = traced();
    joint.also = appt_state();
    joint.also_trace = "00f067aa0ba902b7a3ce929d0e0e4736";
    joint.also_queued_ms = 20;
    joint.also_heard_us = 0;
    return joint;
}

inline Lease beside() {
    Lease lease;
    lease.lease = 9;
    lease.envelope = case_state();
    lease.contact = "abcDEF123";
    lease.object = "oppDEF123";
    return lease;
}

inline Device device() {
    Device device;
    device.mode = "clock-untrusted";
    device.uptime_s = 86'400;
    device.version = "0.1.0";
    device.queue = 3;
    device.disk_free_percent = 85;
    device.basis = "baa";
    device.feeds = {{.feed = "mllp", .received = 5, .stored = 4, .quarantined = 1, .silent_s = 2}, {.feed = "csv"}};
    device.events = {{.number = 1, .code = "E1001", .severity = "critical", .at_ms = 1'795'255'200'000},
                     {.number = 2, .code = "E2001", .severity = "info", .at_ms = 1'795'255'200'001}};
    return device;
}

inline Device compared() {
    Device compared = device();
    compared.data_consistency = 98;
    return compared;
}

inline std::vector<Reply> replies() {
    return {lease(),
            Lease{},
            Verdict{4, Answer::go, ""},
            Verdict{0, Answer::no, "write_set"},
            Verdict{5, Answer::dry, "dry_run"},
            traced(),
            joint(),
            beside(),
            Settled{false},
            Settled{true, true},
            device(),
            compared(),
            Refused{"busy"},
            FactTaken{Taken::stored, true},
            FactTaken{Taken::after_delete, false},
            Matched{Match::choice},
            PollTerms{true},
            WalkTerms{},
            WalkTerms{WalkStep::read, 7, 1'795'255'200'000, true, CrmKind::contact, ""},
            WalkTerms{WalkStep::look, 0, 0, false, CrmKind::contact, "abcDEF123"},
            WalkTerms{WalkStep::look, 0, 0, false, CrmKind::appointment, "abcDEF123"},
            WalkTerms{WalkStep::go_on, 7, 0, false, CrmKind::contact, ""}};
}

} // namespace clinic::envelope::samples
