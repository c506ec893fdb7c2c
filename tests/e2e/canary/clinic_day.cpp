#include "tests/e2e/canary/clinic_day.h"

#include <ctime>
#include <random>

namespace clinic::e2e {
namespace {

constexpr std::array words{"record",   "family",     "given",     "middle",   "alias",     "mother",   "street",
                           "city",     "mail",       "domain",    "account",  "nextofkin", "doctor",   "note",
                           "zsegment", "policy",     "diagnosis", "result",   "reason",    "apptnote", "event",
                           "date",     "processing", "charset",   "garbage",  "long",      "merged",   "filename",
                           "column",   "url",        "header",    "frame",    "ghlperson", "ghlmail",  "downlink",
                           "csvname",  "csvmail",    "csvrecord", "username", "escaped"};
constexpr std::array numbers{"home", "work", "mobile", "social", "insurance", "kinphone", "ghlphone", "csvphone"};

std::string stamp(long ahead = 0) {
    const std::time_t at = std::time(nullptr) + ahead;
    std::tm parts{};
    gmtime_r(&at, &parts);
    std::array<char, 24> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y%m%d%H%M%S+0000", &parts)};
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
        std::string word;
        for (int i = 0; i < 5; ++i) { // consonant and vowel: a name can be said, and no word is like it
            word += "bcdfgjkmpqtvxz"[random() % 14];
            word += "aeiouy"[random() % 6];
        }
        words_[field] = word;
    }
    for (const char* field : numbers) numbers_[field] = std::to_string(200'000'000 + random() % 700'000'000);
    birth_ = "19" + std::to_string(10 + random() % 10) + "0" + std::to_string(1 + random() % 9) +
             std::to_string(10 + random() % 18);
}

std::vector<std::string> ClinicDay::canaries() const {
    std::vector<std::string> all{birth_, birth_.substr(6, 2) + birth_.substr(4, 2) + birth_.substr(0, 4),
                                 birth_.substr(4, 4) + birth_.substr(0, 4)};
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
    return "MSH|^~\\&|PMS|CLINIC|BOX|EDGE|" + stamp() + "||" + type + "|M" + std::to_string(n) +
           "|P|2.5.1|||||USA|UNICODE UTF-8\r";
}

std::string ClinicDay::person(std::size_t n) const {
    return "PID|1|" + word("record", n) + "|" + word("record", n) + "^^^CLINIC^MR~" + number("social", n) +
           "^^^USA^SS||" + word("family", n) + "^" + word("given", n) + "^" + word("middle", n) + "^^^^L|" +
           word("mother", n) + "|" + birth_ + "|F|" + word("alias", n) + "^" + word("alias", n) + "||" +
           word("street", n) + " 12^^" + word("city", n) + "^OR^97301||+" + number("home", n) + "^PRN^PH^" +
           word("mail", n) + "@" + word("domain", n) + ".example~+" + number("mobile", n) + "^PRN^CP|+" +
           number("work", n) + "||M||" + word("account", n) + "|" + number("social", n) + "\r" + "NK1|1|" +
           word("nextofkin", n) + "^" + word("nextofkin", n) + "|SPO||+" + number("kinphone", n) + "\r";
}

std::string ClinicDay::message(std::size_t n) const {
    if (is_wrong(n)) return wrong(n);
    const std::string rest = "PV1|1|O|||||" + word("doctor", n) + "^" + word("doctor", n) + "\rIN1|1|" +
                             word("policy", n) + "|" + number("insurance", n) + "\rDG1|1||" + word("diagnosis", n) +
                             "\rOBX|1|TX|X||" + word("result", n) + "\rNTE|1||" + word("note", n) + " was here\rZPD|" +
                             word("zsegment", n) + "|" + word("zsegment", n) + "\r";
    if (n % 4 == 3)
        return header("SIU^S12", n) + "SCH|P" + std::to_string(n) + "|F" + std::to_string(n) + "|||||" +
               word("reason", n) + "|" + word("apptnote", n) + "||30|min|^^30^" + stamp(86'400) +
               "|||||||||||||Booked\rNTE|1||" + word("apptnote", n) + "\r" + person(n) + "RGS|1\rAIS|1||" +
               word("reason", n) + "|" + stamp(86'400) + "\r" + rest;
    if (n % 4 == 2 && n > 4) return header("ADT^A08", n) + "EVN|A08|" + stamp() + "\r" + person(n - 2) + rest;
    return header("ADT^A28", n) + "EVN|A28|" + stamp() + "\r" + person(n) + rest;
}

std::string ClinicDay::wrong(std::size_t n) const {
    const std::string event = "EVN|A28|" + stamp() + "\r";
    switch (n / 20 % 10) {
    case 0:
        return header("ADT^A28", n) + event + "PID|1||" + word("record", n) + "^^^C^MR||" + word("family", n) + "||" +
               word("date", n) + "|F\r";
    case 1: return header("ADT^" + word("event", n), n) + event + person(n);
    case 2: return header(word("event", n) + "^A28", n) + event + person(n);
    case 3: return header("ADT^A28", n) + event + "PID|1||||" + word("family", n) + "^" + word("given", n) + "\r";
    case 4: return header("SIU^S12", n) + "SCH|P|F\r" + person(n) + "RGS|1\rAIS|1||X|" + word("date", n) + "\r";
    case 5: return word("garbage", n) + "|" + word("family", n) + "\r" + person(n);
    case 6:
        return header("ADT^A28", n) + event + "PID|1||" + word("record", n) + "^^^C^MR||" + std::string(5'000, 'x') +
               word("long", n) + "\r";
    case 7: return header("ADT^A28", n) + event + person(n) + person(n + 1);
    case 8: {
        std::string text = header("ADT^A28", n);
        text.replace(text.find("|P|2.5.1"), 2, "|" + word("processing", n));
        return text + event + person(n);
    }
    default: {
        std::string text = header("ADT^A40", n);
        text.replace(text.find("UNICODE"), 7, word("charset", n));
        return text + event + "PID|1||" + word("record", n) + "^^^C^MR||" + word("family", n) + "\\X" +
               word("escaped", n) + "\\^\\Q" + word("escaped", n) + "\\\rMRG|^^^" + word("merged", n) + "\r";
    }
    }
}

std::string ClinicDay::patients_csv(std::size_t rows) const {
    std::string out = "record_number,family_name,given_name,birth_date,sex,phone,email,active\n";
    for (std::size_t n = 0; n < rows; ++n) {
        const std::string date = n % 10 == 3 ? word("date", n) : birth_;
        out += word("csvrecord", n) + "," + word("csvname", n) + "," + word("given", n) + "," + date + ",F,+" +
               number("csvphone", n) + "," + word("csvmail", n) + "@" + word("domain", n) + ".example," +
               (n % 10 == 4 ? word("csvname", n) : "yes") + (n % 10 == 5 ? "," + word("csvname", n) : "") + "\n";
    }
    return out;
}

std::string ClinicDay::appointments_csv(std::size_t rows) const {
    std::string out = "appointment_id,record_number,start,status\n";
    for (std::size_t n = 0; n < rows; ++n)
        out += "A" + word("csvrecord", n) + "," + word("csvrecord", n) + "," +
               (n % 5 == 1 ? word("date", n) : "2030-01-02T09:00Z") + "," +
               (n % 5 == 2 ? word("reason", n) : "booked") + "\n";
    return out;
}

std::string ClinicDay::consents_csv(std::size_t rows) const {
    std::string out = "record_number,scope,state\n";
    for (std::size_t n = 0; n < rows; ++n)
        out += word("csvrecord", n) + "," + (n % 3 == 1 ? word("reason", n) : "crm_sync") + "," +
               (n % 3 == 2 ? word("note", n) : "granted") + "\n";
    return out;
}

} // namespace clinic::e2e
