#include "daemon/intake/csv_lines.h"

#include <algorithm>
#include <array>
#include <span>

#include "daemon/audit/trail.h"
#include "daemon/intake/hl7_appointment.h"
#include "daemon/intake/hl7_time.h"
#include "daemon/intake/people_of_feeds.h"
#include "daemon/records/consents.h"

namespace clinic::intake {
namespace {

using records::PatientId;
using records::PhiText;
using records::Said;

constexpr std::size_t value_bytes_most = 4'096;

struct Column {
    std::string_view name;
    bool required;
};
constexpr Column patient_columns[] = {{"record_number", true}, {"family_name", false}, {"given_name", false},
                                      {"birth_date", false},   {"sex", false},         {"phone", false},
                                      {"email", false},        {"active", false},      {"sender", false}};
constexpr Column appointment_columns[] = {{"appointment_id", true}, {"record_number", false}, {"start", false},
                                          {"end", false},           {"status", false},        {"sender", false}};
constexpr Column consent_columns[] = {{"record_number", true}, {"scope", true},       {"state", true},
                                      {"given_on", false},     {"expires_on", false}, {"sender", false}};

std::span<const Column> columns_of(ImportKind kind) {
    switch (kind) {
    case ImportKind::patients: return patient_columns;
    case ImportKind::appointments: return appointment_columns;
    case ImportKind::consents: return consent_columns;
    }
    return {};
}

std::string trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return std::string{text.substr(first, text.find_last_not_of(" \t\r\n") + 1 - first)};
}

std::string lower(std::string text) {
    for (char& letter : text)
        if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    return text;
}

// Fields of one record; the first fault counts.
class Line {
public:
    Line(const CsvColumns& columns, const CsvRecord& record) : columns_{columns}, record_{record} {}

    std::string text(Literal column) {
        std::string value = columns_.value(record_, column.c_str());
        if (value.size() > value_bytes_most) fail(column, "longer than 4096 bytes", "shorten it");
        return value;
    }
    std::string required(Literal column) {
        std::string value = text(column);
        if (value.empty()) fail(column, "empty", "every line needs one");
        return value;
    }
    Said<PhiText> said(Literal column) {
        std::string value = text(column);
        return value.empty() ? Said<PhiText>{} : Said<PhiText>::given(PhiText{std::move(value)});
    }
    // Several are parted by a semicolon.
    Said<std::vector<PhiText>> list(Literal column) {
        std::vector<PhiText> values;
        const std::string all = text(column);
        for (const auto one : parts(all, ';'))
            if (std::string value = trimmed(one); !value.empty()) values.emplace_back(std::move(value));
        return values.empty() ? Said<std::vector<PhiText>>{} : Said<std::vector<PhiText>>::given(std::move(values));
    }
    std::optional<Moment> time(Literal column) {
        const std::string value = text(column);
        if (value.empty()) return std::nullopt;
        auto moment = read_time(value);
        if (moment) return std::move(*moment);
        fail(column, "not a date or time", "write 2026-11-24 or 2026-11-24T09:00");
        return std::nullopt;
    }
    void fail(Literal column, Literal what, Literal remedy) {
        if (!fault_) fault_ = ImportFault{record_.line, column, what, remedy};
    }
    const std::optional<ImportFault>& fault() const { return fault_; }

private:
    const CsvColumns& columns_;
    const CsvRecord& record_;
    std::optional<ImportFault> fault_;
};

void read_patient(Line& line, CsvOrder& order) {
    order.record_number = line.required("record_number");
    order.key = order.record_number;
    auto& change = order.patient.emplace();
    change.family = line.said("family_name");
    change.given = line.said("given_name");
    if (const auto born = line.time("birth_date")) change.birth_date = Said<PhiText>::given(PhiText{born->date});
    change.sex = line.said("sex");
    change.phones = line.list("phone");
    change.emails = line.list("email");
    const std::string active = lower(line.text("active"));
    if (active == "yes" || active == "true" || active == "1")
        change.active = true;
    else if (active == "no" || active == "false" || active == "0")
        change.active = false;
    else if (!active.empty())
        line.fail("active", "neither yes nor no", "write yes or no");
}

void read_appointment(Line& line, CsvOrder& order) {
    order.key = line.required("appointment_id");
    order.record_number = line.text("record_number");
    auto& change = order.appointment.emplace();
    change.key = PhiText{order.key};
    change.name_space = order.sender.empty() ? csv_name_space : order.sender;
    if (const auto start = line.time("start")) change.start = start->at;
    if (const auto end = line.time("end")) change.end = end->at;
    if (change.start && change.end && *change.end < *change.start)
        line.fail("end", "before the start", "write an end after the start");
    const std::string word = line.text("status");
    const auto status = status_of_word(word, {});
    if (status)
        change.status = *status;
    else if (word.empty())
        change.keep_status = true;
    else
        line.fail("status", "not a status", "docs/csv.md lists the words");
}

void read_consent(Line& line, CsvOrder& order, Timestamp now) {
    order.record_number = line.required("record_number");
    auto& change = order.consent.emplace();
    const auto scope = records::consent_scope(lower(line.required("scope")));
    const auto state = records::consent_state(lower(line.required("state")));
    if (!scope) line.fail("scope", "not a scope", "crm_sync, reminders or marketing");
    if (!state) line.fail("state", "not a state", "granted, revoked or expired");
    change.scope = scope.value_or(records::ConsentScope::crm_sync);
    change.state = state.value_or(records::ConsentState::revoked);
    const auto given = line.time("given_on");
    change.given_at = given ? given->at : now;
    const auto expires = line.time("expires_on");
    if (!expires) return;
    change.expires_at = expires->precision == Precision::day ? end_of_day(expires->date) : expires->at;
    if (expires->precision < Precision::day) line.fail("expires_on", "not a day", "write 2026-12-31");
    if (*change.expires_at <= change.given_at)
        line.fail("expires_on", "not after given_on", "write a later day, or state expired");
}

records::Identifier number_in(const std::string& name_space, const std::string& number) {
    return {name_space, "MR", PhiText{number}};
}

// A line says nothing of its age.
records::Stamp stamp(const records::Transaction& txn) {
    return {"csv", txn.now(), true};
}

// Without a sender: the number as an earlier import knows it, else whoever has it alone.
Result<PatientId> person_of(records::Transaction& txn, const records::Disclosure& why, const CsvOrder& order) {
    std::vector<records::Identifier> numbers;
    numbers.push_back(number_in(order.sender.empty() ? csv_name_space : order.sender, order.record_number));
    const auto found = records::find_patient(txn, why, numbers);
    if (!found) return found.error();
    if (*found) return **found;
    if (!order.sender.empty())
        return Error{Errc::not_found, "no patient of this sender has this record number", "import patients first"};
    return person_by_number(txn, order.record_number);
}

Result<void> write_patient(records::Transaction& txn, const records::Disclosure& why, release::Releaser& releaser,
                           CsvOrder& order) {
    const auto person = person_of(txn, why, order);
    if (!person && person.error().code != Errc::not_found) return person.error();
    if (person) order.patient->known = *person;
    const std::string name_space = order.sender.empty() ? csv_name_space : order.sender;
    order.patient->identifiers.push_back(number_in(name_space, order.record_number));
    const auto written = records::upsert_patient(txn, why, *order.patient, stamp(txn), false);
    if (!written) return written.error();
    CLINIC_TRY(audit::Trail::add_subject(txn, why, written->id));
    return releaser.changed(txn, written->id, std::nullopt);
}

Result<void> write_appointment(records::Transaction& txn, const records::Disclosure& why, release::Releaser& releaser,
                               CsvOrder& order) {
    std::optional<PatientId> patient;
    if (!order.record_number.empty()) {
        const auto person = person_of(txn, why, order);
        if (!person) return person.error();
        patient = *person;
        CLINIC_TRY(audit::Trail::add_subject(txn, why, *patient));
    }
    const auto written = records::upsert_appointment(txn, why, patient, *order.appointment, stamp(txn), false);
    if (!written) return written.error();
    if (written->moved_from) {
        CLINIC_TRY(audit::Trail::add_subject(txn, why, *written->moved_from));
        CLINIC_TRY(releaser.changed(txn, *written->moved_from, written->id));
    }
    if (!written->patient) return {};
    if (!patient) CLINIC_TRY(audit::Trail::add_subject(txn, why, *written->patient)); // whom it has already
    return releaser.changed(txn, *written->patient, written->id);
}

Result<void> write_consent(records::Transaction& txn, const records::Disclosure& why, release::Releaser& releaser,
                           CsvOrder& order) {
    const auto person = person_of(txn, why, order);
    if (!person) return person.error();
    CLINIC_TRY(audit::Trail::add_subject(txn, why, *person));
    CLINIC_TRY(records::record_consent(txn, *person, *order.consent, stamp(txn)));
    return releaser.consent_changed(txn, *person, order.consent->scope);
}

} // namespace

Result<CsvColumns> CsvColumns::read(ImportKind kind, const CsvRecord& header) {
    CsvColumns columns;
    const auto known = columns_of(kind);
    if (header.broken)
        return Error{Errc::malformed,
                     "the header line is not CSV",
                     "close its quotes and separate its columns by commas",
                     {.line = header.line}};
    for (const auto& field : header.fields) {
        const std::string name = lower(trimmed(field));
        const auto column =
            std::find_if(known.begin(), known.end(), [&name](const Column& one) { return one.name == name; });
        if (column == known.end())
            return Error{Errc::malformed,
                         "the header names a column that this kind does not have",
                         "docs/csv.md lists the columns",
                         {.line = header.line}};
        if (std::find(columns.names_.begin(), columns.names_.end(), column->name) != columns.names_.end())
            return Error{
                Errc::malformed, "the header names a column twice", "remove one of them", {.line = header.line}};
        columns.names_.push_back(column->name);
    }
    for (const auto& column : known)
        if (column.required &&
            std::find(columns.names_.begin(), columns.names_.end(), column.name) == columns.names_.end())
            return Error{Errc::malformed,
                         "the header lacks a column that this kind needs",
                         "docs/csv.md lists the columns",
                         {.line = header.line}};
    return columns;
}

std::string CsvColumns::value(const CsvRecord& record, std::string_view column) const {
    const auto at = static_cast<std::size_t>(std::find(names_.begin(), names_.end(), column) - names_.begin());
    return at < record.fields.size() ? trimmed(record.fields[at]) : std::string{};
}

std::string CsvColumns::canonical(const CsvRecord& record) const {
    std::vector<std::string> said;
    for (const auto name : names_) {
        const std::string value = this->value(record, name);
        if (!value.empty()) said.push_back(std::string{name} + '=' + std::to_string(value.size()) + ':' + value);
    }
    std::sort(said.begin(), said.end());
    std::string out;
    for (const auto& one : said) out += one + '\n';
    return out;
}

CsvReading read_line(ImportKind kind, const CsvColumns& columns, const CsvRecord& record, Timestamp now) {
    Line line{columns, record};
    CsvReading reading;
    if (record.broken)
        line.fail("", "not CSV: a quote out of place, or too long", "quote by RFC 4180");
    else if (record.fields.size() != columns.size())
        line.fail("", "not as many fields as the header has columns", "quote values that hold a comma");
    reading.order.sender = line.text("sender");
    switch (kind) {
    case ImportKind::patients: read_patient(line, reading.order); break;
    case ImportKind::appointments: read_appointment(line, reading.order); break;
    case ImportKind::consents: read_consent(line, reading.order, now); break;
    }
    reading.fault = line.fault();
    return reading;
}

Result<void> write_line(records::Transaction& txn, const records::Disclosure& why, release::Releaser& releaser,
                        CsvOrder& order) {
    if (order.patient) return write_patient(txn, why, releaser, order);
    if (order.appointment) return write_appointment(txn, why, releaser, order);
    return write_consent(txn, why, releaser, order);
}

} // namespace clinic::intake
