#include "packaging/demo/day.h"

#include <array>
#include <cstdarg>
#include <cstdio>

namespace clinic::demo {
namespace {

constexpr std::array family{"Abernathy", "Boswick",   "Castellane", "Dunmore",
                            "Eastwick",  "Fairbairn", "Goldsworth", "Hathersage"};
constexpr std::array given{"Alma", "Bruno", "Clara", "Dexter", "Edith", "Felix", "Greta", "Hugo", "Iris", "Jonas"};
constexpr std::array reason{"CLEANING", "CHECKUP", "CONSULT", "FOLLOWUP"};

std::string stamp(std::time_t at) {
    std::tm parts{};
    localtime_r(&at, &parts);
    char text[20];
    return {text, std::strftime(text, sizeof text, "%Y%m%d%H%M%S", &parts)};
}

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...) {
    char text[512];
    va_list values;
    va_start(values, pattern);
    const int length = std::vsnprintf(text, sizeof text, pattern, values);
    va_end(values);
    return {text, static_cast<std::size_t>(length)};
}

} // namespace

Day::Day(std::uint32_t seed, std::time_t start) : random_{seed}, start_{start} {}

int Day::pick(int count) {
    return std::uniform_int_distribution<int>{0, count - 1}(random_);
}

std::string Day::header(const char* type, std::time_t now) {
    return format("MSH|^~\\&|DEMOPMS|MAINSTREET|CLINICEDGE|BOX|%s||%s|DEMO%lld-%lld|P|2.5.1\r", stamp(now).c_str(),
                  type, static_cast<long long>(start_), static_cast<long long>(sent_));
}

std::string Day::person(int number) const {
    const auto n = static_cast<std::size_t>(number);
    const char* last = family[n % family.size()];
    const char* first = given[n / 4 % given.size()];
    return format("PID|1||D%04d^^^DEMOPMS^MR||%s^%s||19%02d%02d%02d|%c|||%d Willow "
                  "Lane^^Springfield^OR^97477||^PRN^CP^^^541^55501%02d~^NET^Internet^%s.%s%d@mail.example\r",
                  number, last, first, 40 + number % 60, 1 + number % 12, 1 + number % 28, number % 2 == 0 ? 'F' : 'M',
                  100 + number, number, first, last, number);
}

std::string Day::registration(int number, std::time_t now) {
    return header("ADT^A28^ADT_A05", now) + format("EVN|A28|%s\r", stamp(now).c_str()) + person(number);
}

std::string Day::schedule(const char* event, int number, const char* status, std::time_t when, std::time_t now) {
    const std::string type = format("SIU^%s^SIU_S12", event);
    return header(type.c_str(), now) +
           format("SCH|P%04d|F%04d|||||%s|||30|min|^^30^%s^%s|||||||||||||%s^%s^HL70278\r", number, number,
                  reason[static_cast<std::size_t>(number) % reason.size()], stamp(when).c_str(),
                  stamp(when + 1'800).c_str(), status, status) +
           person(number) + "RGS|1\r" + format("AIS|1||VISIT|%s\r", stamp(when).c_str());
}

std::string Day::event(std::time_t now) {
    const int number = pick(people);
    switch (pick(8)) {
    case 0: return schedule("S13", number, "Booked", now + 86'400 * (1 + pick(60)), now);
    case 1: return schedule("S15", number, "Cancelled", now + 86'400 * (1 + pick(30)), now);
    case 2: return schedule("S26", number, "Noshow", now - 3'600, now);
    case 3: return schedule("S14", number, "Complete", now - 1'800, now);
    case 4:
        return header("ADT^A04^ADT_A01", now) + format("EVN|A04|%s\r", stamp(now).c_str()) + person(number) +
               format("PV1|1|O|||||||||||||||||V%04d|||||||||||||||||||||||||%s\r", number, stamp(now).c_str());
    case 5: return header("ADT^A08^ADT_A01", now) + format("EVN|A08|%s\r", stamp(now).c_str()) + person(number);
    default: return schedule("S12", number, "Booked", now + 86'400 * (1 + pick(45)), now);
    }
}

std::string Day::next(std::time_t now) {
    const auto turn = sent_++;
    if (turn < people) return registration(static_cast<int>(turn), now);
    if (turn < 2 * people)
        return schedule("S12", static_cast<int>(turn - people), "Booked", now + 3'600 * (1 + pick(24 * 40)), now);
    return event(now);
}

} // namespace clinic::demo
