#include "tests/e2e/canary/clinic_day.h"

#include <algorithm>
#include <array>
#include <ctime>
#include <random>

#include "tests/fakes/hl7_time.h"

namespace clinic::e2e {
namespace {

constexpr std::array words{
    // MSH, PID, PD1, NK1, GT1
    "control", "record", "alternate", "family", "given", "middle", "mother", "alias", "aliasgiven", "race", "street",
    "unit", "city", "county", "mail", "domain", "language", "religion", "account", "licence", "motherid", "ethnic",
    "birthplace", "multiple", "citizen", "kin", "kingiven", "kinstreet", "guarantor", "guarantorgiven",
    "guarantorstreet", "facility", "familydoctor",
    // PV1, IN1, DG1, AL1, OBX, NTE, a segment of the site's own
    "doctor", "doctorgiven", "ward", "visit", "policy", "company", "insured", "insuredgiven", "diagnosis", "allergy",
    "result", "note", "zsegment", "zfield",
    // SCH, AIS, AIG, AIL, AIP, MRG
    "placer", "filler", "reason", "apptnote", "apptcomment", "service", "equipment", "room", "provider",
    "providergiven", "mergedname", "mergedgiven", "mergedaccount",
    // what is wrong
    "event", "date", "processing", "charset", "garbage", "long", "merged", "escaped",
    // CSV
    "csvrecord", "csvname", "csvgiven", "csvmail", "csvsex", "csvsender", "csvactive", "csvextra", "csvappt",
    "csvstart", "csvend", "csvstatus", "csvscope", "csvstate", "csvgivenon", "csvexpires", "filename", "column",
    // other ways in
    "url", "header", "frame", "ghlperson", "ghlmail", "downlink", "dump"};
// Their vowels have accents: such names are escaped where others are not.
constexpr std::array accented{"middle",  "mother",   "alias",       "street",   "city", "kin",
                              "insured", "provider", "apptcomment", "csvgiven", "note", "ghlperson"};
constexpr std::array vowels{"aáàâä", "eéèêë", "iíìîï", "oóòôö", "uúùûü", "yý"};
constexpr std::array numbers{"home",      "work",     "mobile",         "social",   "socialtwo",
                             "insurance", "kinphone", "guarantorphone", "ghlphone", "csvphone"};

// What happens to a person, message by message; P28: their second number comes, by mistake as a person of its own.
constexpr std::array<std::array<const char*, 10>, 3> stories{
    {{"A28", "A08", "S12", "S13", "S14", "A01", "A03", "A31", "S15", "A29"},
     {"A04", "A08", "S12", "S26", "A01", "A11", "A31", "S12", "S15", "A08"},
     {"A28", "P28", "S12", "A40", "A08", "A04", "A03", "S14", "S13", "A31"}}};
constexpr std::size_t as_second_number = 5'000'000;
constexpr long day = 86'400;

std::string stamp(long ahead = 0) {
    return fakes::hl7_time(std::time(nullptr) + ahead);
}

// Of a text of ASCII and Latin-1's letters.
std::string in_latin1(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto first = static_cast<unsigned char>(text[i]);
        out += first < 0x80 ? text[i] : static_cast<char>(first << 6 | (static_cast<unsigned char>(text[++i]) & 0x3FU));
    }
    return out;
}

std::string letters(std::size_t n) {
    std::string out;
    for (int i = 0; i < 5; ++i, n /= 26) out += static_cast<char>('a' + n % 26);
    return out;
}

} // namespace

ClinicDay::ClinicDay(std::uint64_t seed) {
    std::mt19937_64 random{seed};
    for (const char* field : words) {
        const bool has_accents = std::ranges::find(accented, std::string_view{field}) != accented.end();
        std::string word;
        for (int i = 0; i < 5; ++i) { // consonant and vowel: a name can be said, and no word is like it
            word += "bcdfgjkmpqtvxz"[random() % 14];
            const std::string_view ways = vowels.at(random() % vowels.size()); // plain, then two bytes each
            word += has_accents ? ways.substr(1 + random() % (ways.size() / 2) * 2, 2) : ways.substr(0, 1);
        }
        words_[field] = word;
    }
    for (const char* field : numbers) numbers_[field] = std::to_string(200'000'000 + random() % 700'000'000);
    const auto date = [&](const char* decade) {
        return decade + std::to_string(random() % 10) + "0" + std::to_string(1 + random() % 9) +
               std::to_string(10 + random() % 18);
    };
    birth_ = date("191");
    death_ = date("192");
}

std::vector<std::string> ClinicDay::canaries() const {
    std::vector<std::string> all;
    for (const auto& date : {birth_, death_})
        for (const auto& form :
             {date, date.substr(6, 2) + date.substr(4, 2) + date.substr(0, 4), date.substr(4, 4) + date.substr(0, 4)})
            all.push_back(form);
    for (const auto& [field, word] : words_) all.push_back(word);
    for (const auto& [field, number] : numbers_) all.push_back(number);
    return all;
}

std::string ClinicDay::word(std::string_view field, std::size_t n) const {
    std::string word = words_.find(field)->second + letters(n);
    word.front() = static_cast<char>(word.front() - 'a' + 'A');
    return word;
}

std::string ClinicDay::number(std::string_view field, std::size_t n) const {
    const std::string own = std::to_string(n % 1'000'000);
    return numbers_.find(field)->second + std::string(6 - own.size(), '0') + own;
}

std::string ClinicDay::header(const std::string& type, std::size_t n) const {
    return "MSH|^~\\&|PMS|CLINIC|BOX|EDGE|" + stamp() + "||" + type + "|" + word("control", n) +
           "|P|2.5.1|||||USA|UNICODE UTF-8\r";
}

std::string ClinicDay::person(std::size_t p, bool died) const {
    const auto w = [&](const char* field) { return word(field, p); };
    const auto i = [&](const char* field) { return number(field, p); };
    return "PID|1|" + w("record") + "|" + w("record") + "^^^CLINIC^MR~" + i("socialtwo") + "^^^USA^SS|" +
           w("alternate") + "|" + w("family") + "^" + w("given") + "^" + w("middle") + "^^^^L|" + w("mother") + "|" +
           birth_ + "|F|" + w("alias") + "^" + w("aliasgiven") + "|" + w("race") + "|" + w("street") + " 12^" +
           w("unit") + "^" + w("city") + "^OR^97301|" + w("county") + "|+" + i("home") + "^PRN^PH^" + w("mail") + "@" +
           w("domain") + ".example~+" + i("mobile") + "^PRN^CP|+" + i("work") + "|" + w("language") + "|M|" +
           w("religion") + "|" + w("account") + "|" + i("social") + "|" + w("licence") + "|" + w("motherid") + "|" +
           w("ethnic") + "|" + w("birthplace") + "|" + w("multiple") + "||" + w("citizen") + "|||" +
           (died ? death_ : "") + "\rPD1|||" + w("facility") + "|" + w("familydoctor") + "\rNK1|1|" + w("kin") + "^" +
           w("kingiven") + "|SPO|" + w("kinstreet") + "|+" + i("kinphone") + "\r";
}

// The segments that come with any message about a person.
std::string ClinicDay::about(std::size_t p) const {
    const auto w = [&](const char* field) { return word(field, p); };
    return "PV1|1|O|" + w("ward") + "||||" + w("doctor") + "^" + w("doctorgiven") + std::string(12, '|') + w("visit") +
           "\rGT1|1||" + w("guarantor") + "^" + w("guarantorgiven") + "||" + w("guarantorstreet") + "|+" +
           number("guarantorphone", p) + "\rIN1|1|" + w("policy") + "|" + number("insurance", p) + "|" + w("company") +
           std::string(12, '|') + w("insured") + "^" + w("insuredgiven") + "\rAL1|1||" + w("allergy") + "\rDG1|1||" +
           w("diagnosis") + "\rOBX|1|TX|X||" + w("result") + "\rNTE|1||" + w("note") + " was here\rZPD|" +
           w("zsegment") + "|" + w("zfield") + "\r";
}

std::string ClinicDay::admission(const std::string& event, std::size_t n, std::size_t p, bool died) const {
    return header("ADT^" + event, n) + "EVN|" + event + "|" + stamp() + "\r" + person(p, died) + about(p);
}

std::string ClinicDay::schedule(const std::string& event, std::size_t n, std::size_t p, std::size_t appointment) const {
    const auto w = [&](const char* field) { return word(field, p); };
    const std::string number = word("placer", 2 * p + appointment) + "|" + word("filler", 2 * p + appointment);
    const std::string when = stamp(event == "S13" ? 5 * day : event == "S14" ? 10 * day : day);
    return header("SIU^" + event, n) + "SCH|" + number + "|||||" + w("reason") + "|" + w("apptnote") +
           "||30|min|^^30^" + when + std::string(13, '|') + "Booked\rNTE|1||" + w("apptcomment") + "\r" + person(p) +
           about(p) + "RGS|1\rAIS|1||" + w("service") + "|" + when + "\rAIG|1||" + w("equipment") + "\rAIL|1||" +
           w("room") + "\rAIP|1||" + w("provider") + "^" + w("providergiven") + "\r";
}

std::string ClinicDay::merge(std::size_t n, std::size_t p) const {
    return header("ADT^A40", n) + "EVN|A40|" + stamp() + "\r" + person(p) + "MRG|" +
           word("record", p + as_second_number) + "^^^CLINIC^MR|||" + word("mergedaccount", p) + "|||" +
           word("mergedname", p) + "^" + word("mergedgiven", p) + "\r";
}

std::string ClinicDay::message(std::size_t n) const {
    if (is_wrong(n)) return wrong(n);
    std::string text = right(n);
    if (n % 8 != 5) return text;
    const std::string_view ours = "UNICODE UTF-8";
    text.replace(text.find(ours), ours.size(), "8859/1");
    return in_latin1(text);
}

std::string ClinicDay::right(std::size_t n) const {
    const std::size_t p = n / (connections * messages_each) * connections + n % connections;
    const std::size_t step = n / connections % messages_each;
    const std::string event = stories.at(p / connections % stories.size()).at(step);
    if (event.front() == 'S') return schedule(event, n, p, step / 7);
    if (event == "A40") return merge(n, p);
    if (event == "P28") return admission("A28", n, p + as_second_number);
    return admission(event, n, p, event == "A31" && step + 1 == messages_each && p % 8 == 0);
}

std::string ClinicDay::wrong(std::size_t n) const {
    const std::string event = "EVN|A28|" + stamp() + "\r";
    switch (n / 20 % 10) {
    case 1: return header("ADT^" + word("event", n), n) + event + person(n);
    case 2: return header(word("event", n) + "^A28", n) + event + person(n);
    case 4: return header("SIU^S12", n) + "SCH|P|F\r" + person(n) + "RGS|1\rAIS|1||X|" + word("date", n) + "\r";
    case 5: return word("garbage", n) + "|" + word("family", n) + "\r" + person(n);
    case 7: return header("ADT^A28", n) + event + person(n) + person(n + 1);
    case 8: {
        std::string text = header("ADT^A28", n);
        text.replace(text.find("|P|2.5.1"), 2, "|" + word("processing", n));
        return text + event + person(n);
    }
    case 9: {
        std::string text = header("ADT^A40", n);
        text.replace(text.find("UNICODE"), 7, word("charset", n));
        return text + event + "PID|1||" + word("record", n) + "^^^C^MR||" + word("family", n) + "\\X" +
               word("escaped", n) + "\\^\\Q" + word("escaped", n) + "\\\rMRG|^^^" + word("merged", n) + "\r";
    }
    default: return header("ADT^A28", n) + event + wrong_person(n);
    }
}

std::string ClinicDay::wrong_person(std::size_t n) const {
    const std::string number = "PID|1||" + word("record", n) + "^^^C^MR||";
    switch (n / 20 % 10) {
    case 0: return number + word("family", n) + "||" + word("date", n) + "|F\r";
    case 3: return "PID|1||||" + word("family", n) + "^" + word("given", n) + "\r";
    default: return number + std::string(5'000, 'x') + word("long", n) + "\r";
    }
}

std::string ClinicDay::patients_csv(std::size_t rows) const {
    std::string out = "record_number,family_name,given_name,birth_date,sex,phone,email,active,sender\n";
    for (std::size_t n = 0; n < rows; ++n) {
        const std::string date = n % 10 == 3 ? word("date", n) : birth_;
        out += word("csvrecord", n) + "," + word("csvname", n) + "," + word("csvgiven", n) + "," + date + "," +
               word("csvsex", n) + ",+" + number("csvphone", n) + "," + word("csvmail", n) + "@" + word("domain", n) +
               ".example," + (n % 10 == 4 ? word("csvactive", n) : "yes") + "," +
               (n % 10 == 6 ? word("csvsender", n) : "") + (n % 10 == 5 ? "," + word("csvextra", n) : "") + "\n";
    }
    return out;
}

std::string ClinicDay::appointments_csv(std::size_t rows) const {
    std::string out = "appointment_id,record_number,start,end,status,sender\n";
    for (std::size_t n = 0; n < rows; ++n)
        out += word("csvappt", n) + "," + word("csvrecord", n) + "," +
               (n % 5 == 1 ? word("csvstart", n) : "2030-01-02T09:00Z") + "," +
               (n % 5 == 3 ? word("csvend", n) : "2030-01-02T09:30Z") + "," +
               (n % 5 == 2 ? word("csvstatus", n) : "booked") + "," + (n % 10 == 6 ? word("csvsender", n) : "") + "\n";
    return out;
}

std::string ClinicDay::consents_csv(std::size_t rows) const {
    std::string out = "record_number,scope,state,given_on,expires_on,sender\n";
    for (std::size_t n = 0; n < rows; ++n)
        out += word("csvrecord", n) + "," + (n % 5 == 1 ? word("csvscope", n) : "crm_sync") + "," +
               (n % 5 == 2 ? word("csvstate", n) : "granted") + "," + (n % 5 == 3 ? word("csvgivenon", n) : "") + "," +
               (n % 5 == 4 ? word("csvexpires", n) : "") + "," + (n % 10 == 6 ? word("csvsender", n) : "") + "\n";
    return out;
}

std::string ClinicDay::wishes_csv(std::size_t people, std::string_view scope, std::string_view state) const {
    std::string out = "record_number,scope,state\n";
    for (std::size_t p = 0; p < people; p += 5)
        out += word("record", p) + "," + std::string{scope} + "," + std::string{state} + "\n";
    return out;
}

} // namespace clinic::e2e
