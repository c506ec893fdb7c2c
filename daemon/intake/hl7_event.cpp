#include "daemon/intake/hl7_event.h"

#include <algorithm>

namespace clinic::intake {
namespace {

using records::AppointmentStatus;

constexpr std::size_t name_bytes_max = 227; // of an HD

enum class Effect : std::uint8_t {
    person,   // create or update
    visit,    // and the person was here
    no_visit, // that visit did not happen, or is not over
    preadmit,
    preadmit_cancelled,
    active_person, // and active from now on
    inactive_person,
    merge,
    identifiers,
    booked,
    moved,
    changed,
    ended,
    blocked,
};

struct Rule {
    std::string_view type, event;
    Literal name;
    Effect effect;
    AppointmentStatus status = AppointmentStatus::booked; // of ended and blocked
};

// The whole of what is accepted. Anything else is AR, by type or by event.
constexpr Rule event_rules[] = {
    {"ADT", "A01", "ADT^A01", Effect::visit},
    {"ADT", "A03", "ADT^A03", Effect::person},
    {"ADT", "A04", "ADT^A04", Effect::visit},
    {"ADT", "A05", "ADT^A05", Effect::preadmit},
    {"ADT", "A08", "ADT^A08", Effect::person},
    {"ADT", "A11", "ADT^A11", Effect::no_visit},
    {"ADT", "A13", "ADT^A13", Effect::no_visit},
    {"ADT", "A18", "ADT^A18", Effect::merge},
    {"ADT", "A23", "ADT^A23", Effect::no_visit},
    {"ADT", "A28", "ADT^A28", Effect::active_person},
    {"ADT", "A29", "ADT^A29", Effect::inactive_person},
    {"ADT", "A31", "ADT^A31", Effect::active_person},
    {"ADT", "A34", "ADT^A34", Effect::merge},
    {"ADT", "A38", "ADT^A38", Effect::preadmit_cancelled},
    {"ADT", "A40", "ADT^A40", Effect::merge},
    {"ADT", "A47", "ADT^A47", Effect::identifiers},
    {"SIU", "S12", "SIU^S12", Effect::booked},
    {"SIU", "S13", "SIU^S13", Effect::moved},
    {"SIU", "S14", "SIU^S14", Effect::changed},
    {"SIU", "S15", "SIU^S15", Effect::ended, AppointmentStatus::cancelled},
    {"SIU", "S16", "SIU^S16", Effect::ended, AppointmentStatus::cancelled},
    {"SIU", "S17", "SIU^S17", Effect::ended, AppointmentStatus::entered_in_error},
    {"SIU", "S18", "SIU^S18", Effect::changed},
    {"SIU", "S19", "SIU^S19", Effect::changed},
    {"SIU", "S22", "SIU^S22", Effect::changed},
    {"SIU", "S23", "SIU^S23", Effect::blocked, AppointmentStatus::booked},
    {"SIU", "S24", "SIU^S24", Effect::blocked, AppointmentStatus::cancelled},
    {"SIU", "S26", "SIU^S26", Effect::ended, AppointmentStatus::no_show},
};

std::string upper(std::string text) {
    for (char& letter : text)
        if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
    return text;
}

// MSH-9.1 and .2; where .2 is empty, the structure (ADT_A01) or EVN-1 says it.
const Rule* find_rule(Reader& reader) {
    const Message& message = reader.message();
    const Segment& msh = message.segments().front();
    const std::string_view said = reader.first(msh, 9);
    const auto code = [&](int number) { return upper(reader.value(msh, 9, message.component(said, number))); };
    std::string type = code(1), event = code(2);
    const std::string structure = type.size() == 7 && type[3] == '_' ? type : code(3); // "ADT_A04" alone: a habit
    type = type.substr(0, structure == type ? 3 : type.size());
    if (event.empty() && structure.size() == 7) event = structure.substr(4);
    const Segment* evn = message.first("EVN");
    if (event.empty() && evn != nullptr) event = upper(reader.value(*evn, 1));
    bool known_type = false;
    for (const auto& rule : event_rules) {
        if (rule.type != type) continue;
        known_type = true;
        if (rule.event == event) return &rule;
    }
    if (known_type)
        reader.refuse(Hl7Code::event_code, "MSH-9: this event is not taken", "turn it off at the sender", 9);
    else
        reader.refuse(Hl7Code::message_type, "MSH-9: only ADT and SIU are taken", "turn the others off at the sender",
                      9);
    return nullptr;
}

// P, T or D (training, debugging: kept apart). True: test traffic.
bool read_processing_id(Reader& reader) {
    const std::string id = upper(reader.value(reader.message().segments().front(), 11));
    if (!id.empty() && id != "P" && id != "T" && id != "D")
        reader.refuse(Hl7Code::processing_id, "MSH-11: neither P, T nor D", "send P for real patients", 11);
    return id == "T" || id == "D";
}

void check_version(Reader& reader) {
    const std::string version = reader.value(reader.message().segments().front(), 12);
    if (is_version_at_least(version, 3, 0) ||
        (is_version_at_least(version, 0, 0) && !is_version_at_least(version, 2, 0)))
        reader.refuse(Hl7Code::version_id, "MSH-12: not HL7 version 2", "send version 2.1 to 2.8", 12);
}

// When it was said: a day counts to its end, and nothing lies in the future of its receipt by more than zones can
// explain; the stamp is as it was then. False: `text` is no day.
bool read_said_at(std::string_view text, Timestamp received, records::Stamp& stamp) {
    constexpr auto day = std::chrono::hours{24};
    const auto read = read_time(text);
    if (!read || !*read || (*read)->precision < Precision::day) return false;
    const bool is_day = (*read)->precision == Precision::day;
    const Timestamp at = is_day ? (*read)->at + day : (*read)->at;
    stamp.by_arrival = at > (is_day ? received : received + day);
    if (!stamp.by_arrival) stamp.said_at = at;
    return true;
}

records::Stamp read_stamp(Reader& reader, Timestamp received) {
    const Message& message = reader.message();
    records::Stamp stamp{sender_of(message), received, true};
    const Segment* evn = message.first("EVN");
    const std::string event_time = evn != nullptr ? reader.value(*evn, 2) : std::string{};
    const std::string sent = reader.value(message.segments().front(), 7);
    const auto precise = [](std::string_view text) { return text.size() > 8; };
    const bool sent_first = !precise(event_time) && precise(sent); // a bare day would make the update look old
    for (const std::string& text : {sent_first ? sent : event_time, sent_first ? event_time : sent})
        if (read_said_at(text, received, stamp)) break;
    return stamp;
}

// The one PID of a message about one person.
const Segment* only_person(Reader& reader) {
    const auto pids = reader.message().all("PID");
    if (pids.empty()) {
        reader.missing_segment("PID: missing", "PID");
        return nullptr;
    }
    for (const Segment* pid : pids)
        if (!same_person(reader.message(), *pids.front(), *pid)) {
            reader.wrong("PID-3: several persons in one message", "send a message for each", *pid, 3);
            return nullptr;
        }
    return pids.front();
}

void read_visit(Reader& reader, Effect effect, Timestamp received, Order& order) {
    const auto admitted = reader.time(reader.message().first("PV1"), 44);
    if (effect == Effect::visit)
        order.patient->visited_at = admitted ? admitted->at : std::min(order.stamp.said_at, received);
    if (effect != Effect::no_visit) return;
    order.patient->visit_cancelled = true;
    if (admitted) order.patient->visited_at = admitted->at;
}

void read_person(Reader& reader, Effect effect, Timestamp received, Order& order) {
    const Segment* pid = only_person(reader);
    if (pid == nullptr) return;
    order.patient = read_patient(reader, *pid, order.stamp.sender);
    if (effect == Effect::active_person) order.patient->active = true;
    if (effect == Effect::inactive_person) order.patient->active = false;
    if (effect == Effect::visit || effect == Effect::no_visit) read_visit(reader, effect, received, order);
}

// PID and MRG come in pairs, one after the other; A40 may have several.
void read_merges(Reader& reader, Order& order) {
    const Segment* pid = nullptr;
    for (const auto& segment : reader.message().segments()) {
        if (segment.id == "PID") pid = &segment;
        if (segment.id != "MRG") continue;
        if (pid == nullptr) return reader.missing_segment("PID: missing before MRG", "PID");
        order.merges.push_back(
            {read_patient(reader, *pid, order.stamp.sender), read_prior(reader, segment, order.stamp.sender)});
    }
    if (order.merges.empty()) reader.missing_segment("MRG: missing, and it names who is merged", "MRG");
}

void read_identifiers(Reader& reader, Timestamp received, Order& order) {
    if (reader.message().first("MRG") == nullptr) return read_person(reader, Effect::person, received, order);
    read_merges(reader, order);
    order.identifiers_change = true;
}

// Some block-outs have no patient and some have several: those appointments belong to nobody.
void read_appointment_person(Reader& reader, Order& order) {
    const auto pids = reader.message().all("PID");
    if (pids.empty() || !has_person(reader, *pids.front())) return;
    for (const Segment* pid : pids)
        if (!same_person(reader.message(), *pids.front(), *pid)) return;
    order.patient = read_patient(reader, *pids.front(), order.stamp.sender);
}

// The trigger event wins over SCH-25: a booking that says "cancelled" is a booking. Where the event leaves the status
// open, the word counts; without one the stored status stays.
void read_status(Reader& reader, const Segment& sch, const Rule& rule, const SenderRules& rules, Order& order) {
    AppointmentStatus& status = order.appointment->status;
    const auto word = status_of_word(reader.value(sch, 25), rules.status_words);
    if (rule.effect == Effect::ended || rule.effect == Effect::blocked)
        status = rule.status;
    else if (rule.effect == Effect::moved)
        status = AppointmentStatus::rescheduled;
    else if (rule.effect == Effect::changed && !word)
        order.appointment->keep_status = true;
    else if (word && (rule.effect == Effect::changed || is_open(*word) || *word == AppointmentStatus::completed))
        status = *word;
}

void read_schedule(Reader& reader, const Rule& rule, const SenderRules& rules, Order& order) {
    const Segment* sch = reader.message().first("SCH");
    if (sch == nullptr) return reader.missing_segment("SCH: missing", "SCH");
    order.appointment = read_appointment(reader, *sch, order.stamp.sender);
    read_status(reader, *sch, rule, rules, order);
    if (rule.effect != Effect::blocked) read_appointment_person(reader, order);
}

void read_preadmit(Reader& reader, Effect effect, const SenderRules& rules, Timestamp received, Order& order) {
    read_person(reader, Effect::person, received, order);
    if (!rules.preadmit_is_appointment) return;
    order.appointment = read_visit_as_appointment(reader, order.stamp.sender);
    if (effect == Effect::preadmit_cancelled) order.appointment->status = AppointmentStatus::cancelled;
}

void read_effect(Reader& reader, const Rule& rule, const SenderRules& rules, Timestamp received, Order& order) {
    switch (rule.effect) {
    case Effect::person:
    case Effect::visit:
    case Effect::no_visit:
    case Effect::active_person:
    case Effect::inactive_person: return read_person(reader, rule.effect, received, order);
    case Effect::preadmit:
    case Effect::preadmit_cancelled: return read_preadmit(reader, rule.effect, rules, received, order);
    case Effect::merge: return read_merges(reader, order);
    case Effect::identifiers: return read_identifiers(reader, received, order);
    case Effect::booked:
    case Effect::moved:
    case Effect::changed:
    case Effect::ended:
    case Effect::blocked: return read_schedule(reader, rule, rules, order);
    }
}

} // namespace

std::string sender_of(const Message& message) {
    const Segment& msh = message.segments().front();
    const auto name = [&](int field) { return message.decoded(message.field(msh, field)).substr(0, name_bytes_max); };
    return name(3) + '|' + name(4);
}

bool is_answered_with_silence(const Header& header, const SenderRules& rules) {
    return wants_silence(header) && rules.acknowledgement == Acknowledgement::silent;
}

std::optional<std::string_view> accept_condition(const SenderRules& rules) {
    switch (rules.acknowledgement) {
    case Acknowledgement::by_message:
    case Acknowledgement::silent: return std::nullopt;
    case Acknowledgement::original: return "";
    case Acknowledgement::enhanced: return "AL";
    }
    return std::nullopt;
}

std::variant<Order, Rejection> read_order(const Message& message, const SenderRules& rules, Timestamp received) {
    Reader reader{message};
    Order order;
    const Segment& msh = message.segments().front();
    if (reader.value(msh, 10).empty()) reader.missing_field("MSH-10: no message control id", msh, 10);
    order.test_traffic = read_processing_id(reader);
    check_version(reader);
    const Rule* rule = find_rule(reader);
    if (rule != nullptr && !reader.rejection()) {
        order.event = rule->name;
        order.stamp = read_stamp(reader, received);
        read_effect(reader, *rule, rules, received, order);
    }
    if (reader.rejection()) return *reader.rejection();
    return order;
}

} // namespace clinic::intake
