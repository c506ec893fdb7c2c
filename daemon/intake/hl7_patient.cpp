#include "daemon/intake/hl7_patient.h"

#include <algorithm>
#include <array>

namespace clinic::intake {
namespace {

using records::Identifier;
using records::PhiText;
using records::Said;

std::string upper(std::string text) {
    for (char& letter : text)
        if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
    return text;
}

bool has_digit(std::string_view text) {
    return text.find_first_of("0123456789") != std::string_view::npos;
}

// CX: number ^ check digit ^ scheme ^ authority (HD) ^ type.
void add_identifiers(Reader& reader, const Segment& segment, int field, const std::string& sender,
                     std::vector<Identifier>& out) {
    const Message& message = reader.message();
    for (const std::string_view one : message.repetitions(segment, field)) {
        if (out.size() >= repetitions_max) return;
        std::string number = reader.value(segment, field, message.component(one, 1));
        if (number.empty()) continue;
        std::string authority = reader.value(segment, field, message.subcomponent(one, 4, 1));
        if (authority.empty()) authority = reader.value(segment, field, message.subcomponent(one, 4, 2));
        std::string type = upper(reader.value(segment, field, message.component(one, 5)));
        if (type == "MRN") type = "MR";
        out.push_back({authority.empty() ? sender : std::move(authority), std::move(type), PhiText{std::move(number)}});
    }
}

// A field that is an identifier of one type by its definition: social security number, account number.
void add_typed(Reader& reader, const Segment& segment, int field, const std::string& sender, const char* type,
               std::vector<Identifier>& out) {
    std::string number = reader.value(segment, field);
    if (number.empty() || out.size() >= repetitions_max) return;
    out.push_back({sender, type, PhiText{std::move(number)}});
}

int rank(const Identifier& identifier) {
    if (!records::identifies_person(identifier.type)) return 3;
    return identifier.type == "MR" ? 0 : identifier.type == "PI" ? 1 : 2;
}

void put_first_what_identifies(std::vector<Identifier>& identifiers) {
    std::stable_sort(identifiers.begin(), identifiers.end(),
                     [](const Identifier& a, const Identifier& b) { return rank(a) < rank(b); });
}

bool identifies(const std::vector<Identifier>& identifiers) {
    return !identifiers.empty() && records::identifies_person(identifiers.front().type);
}

// XPN: family (FN) ^ given ^ middle. The legal name where types are said, else the first that is there.
std::string_view name_of(const Message& message, const Segment& segment, int field) {
    const auto names = message.repetitions(segment, field);
    for (const auto name : names)
        if (message.component(name, 7) == "L" && !message.component(name, 1).empty()) return name;
    for (const auto name : names)
        if (!message.component(name, 1).empty() || !message.component(name, 2).empty()) return name;
    return {};
}

void read_name(Reader& reader, const Segment& segment, int field, records::PatientChange& change) {
    const Message& message = reader.message();
    const std::string_view name = name_of(message, segment, field);
    change.family = reader.said(segment, field, message.component(name, 1));
    change.given = reader.said(segment, field, message.component(name, 2));
    change.middle = reader.said(segment, field, message.component(name, 3));
}

// XTN: the whole number in .1, or unformatted in .12 (2.7), or country, area and local number in .5 to .7; an address
// for mail in .4, or in .1 where the use or the type says so.
void read_telecom(Reader& reader, const Segment& pid, int field, std::string_view one, std::vector<PhiText>& phones,
                  std::vector<PhiText>& emails) {
    const Message& message = reader.message();
    const auto text = [&](int number) { return reader.value(pid, field, message.component(one, number)); };
    const std::string whole = text(1), mail = text(4);
    if (mail.find('@') != std::string::npos && emails.size() < repetitions_max) emails.emplace_back(mail);
    if (whole.find('@') != std::string::npos) {
        if (mail.empty() && emails.size() < repetitions_max) emails.emplace_back(whole);
        return;
    }
    std::string number = whole;
    if (!has_digit(number)) number = text(12);
    if (!has_digit(number)) number = text(5) + text(6) + text(7);
    if (has_digit(number) && phones.size() < repetitions_max) phones.emplace_back(std::move(number));
}

// Home, work (PID-13, 14) and, from 2.7, PID-40.
void read_telecoms(Reader& reader, const Segment& pid, records::PatientChange& change) {
    static constexpr std::array<int, 3> fields = {13, 14, 40};
    std::vector<PhiText> phones, emails;
    bool cleared = false;
    for (const int field : fields) {
        if (is_null(reader.message().field(pid, field))) cleared = true;
        for (const auto one : reader.message().repetitions(pid, field))
            read_telecom(reader, pid, field, one, phones, emails);
    }
    const auto say = [cleared](std::vector<PhiText> values) {
        if (!values.empty()) return Said<std::vector<PhiText>>::given(std::move(values));
        return cleared ? Said<std::vector<PhiText>>::cleared() : Said<std::vector<PhiText>>{};
    };
    const bool nothing = phones.empty() && emails.empty();
    change.phones = nothing || !phones.empty() ? say(std::move(phones)) : Said<std::vector<PhiText>>{};
    change.emails = nothing || !emails.empty() ? say(std::move(emails)) : Said<std::vector<PhiText>>{};
}

// XAD: street (SAD) ^ other ^ city ^ state ^ postal code ^ country, on one line.
Said<PhiText> read_address(Reader& reader, const Segment& pid) {
    constexpr int field = 11;
    if (is_null(reader.message().field(pid, field))) return Said<PhiText>::cleared();
    std::string line;
    for (int number = 1; number <= 6; ++number) {
        const std::string text = reader.value(pid, field, reader.message().component(reader.first(pid, field), number));
        if (text.empty()) continue;
        if (!line.empty()) line += ", ";
        line += text;
    }
    if (line.empty()) return {};
    return Said<PhiText>::given(PhiText{std::move(line)});
}

Said<PhiText> read_birth_date(Reader& reader, const Segment& pid) {
    constexpr int field = 7;
    if (is_null(reader.message().field(pid, field))) return Said<PhiText>::cleared();
    const auto moment = reader.time(&pid, field);
    if (!moment) return {};
    return Said<PhiText>::given(PhiText{moment->date});
}

// PID-30 says it; a time of death (PID-29) says it too.
Said<bool> read_deceased(Reader& reader, const Segment& pid) {
    const std::string_view said = reader.message().field(pid, 30);
    if (said == "Y" || said == "y") return Said<bool>::given(true);
    if (reader.time(&pid, 29)) return Said<bool>::given(true);
    if (said == "N" || said == "n") return Said<bool>::given(false);
    return is_null(said) ? Said<bool>::cleared() : Said<bool>{};
}

} // namespace

records::PatientChange read_patient(Reader& reader, const Segment& pid, const std::string& sender) {
    records::PatientChange change;
    for (const int field : {3, 2, 4}) add_identifiers(reader, pid, field, sender, change.identifiers);
    add_typed(reader, pid, 19, sender, "SS", change.identifiers);
    add_typed(reader, pid, 18, sender, "AN", change.identifiers);
    put_first_what_identifies(change.identifiers);
    if (!identifies(change.identifiers)) reader.missing_field("PID-3: no identifier of a person", pid, 3);
    read_name(reader, pid, 5, change);
    change.birth_date = read_birth_date(reader, pid);
    change.sex = reader.said(pid, 8);
    change.address = read_address(reader, pid);
    read_telecoms(reader, pid, change);
    change.language = reader.said(pid, 15);
    change.deceased = read_deceased(reader, pid);
    return change;
}

bool has_person(Reader& reader, const Segment& pid) {
    for (const int field : {2, 3, 4, 5})
        for (const auto one : reader.message().repetitions(pid, field))
            for (const int component : {1, 2})
                if (!reader.value(pid, field, reader.message().component(one, component)).empty()) return true;
    return false;
}

bool same_person(const Message& message, const Segment& pid, const Segment& other) {
    return message.field(pid, 3) == message.field(other, 3) && message.field(pid, 2) == message.field(other, 2);
}

records::PatientChange read_prior(Reader& reader, const Segment& mrg, const std::string& sender) {
    records::PatientChange change;
    for (const int field : {1, 4}) add_identifiers(reader, mrg, field, sender, change.identifiers);
    put_first_what_identifies(change.identifiers);
    if (!identifies(change.identifiers)) reader.missing_field("MRG-1: no identifier of a person", mrg, 1);
    read_name(reader, mrg, 7, change);
    return change;
}

} // namespace clinic::intake
