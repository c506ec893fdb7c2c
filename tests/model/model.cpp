#include "tests/model/model.h"

#include <algorithm>

namespace clinic::model {
namespace {

constexpr std::int64_t day_us = 86'400'000'000;

std::int64_t day_of(Timestamp at) {
    return at.micros / day_us;
}

// The months are far from their edges: the practice books 60, 130 and 260 days ahead.
std::string distance(std::int64_t days) {
    if (days <= 2) return "d0_2";
    if (days <= 7) return "d3_7";
    if (days <= 30) return "d8_30";
    if (days <= 85) return "m1_3";
    return days <= 170 ? "m3_6" : "m6_plus";
}

} // namespace

std::string bucket_ahead(Timestamp now, Timestamp at) {
    return day_of(at) < day_of(now) ? "past" : distance(day_of(at) - day_of(now));
}

std::string booking_word(const Visit& visit) {
    if (visit.status == "confirmed" || visit.status == "cancelled") return visit.status;
    if (visit.status == "arrived" || visit.status == "completed") return "showed";
    return visit.status == "no_show" ? "noshow" : "new";
}

bool is_set_up(const Visit& visit, Timestamp now) {
    const auto word = booking_word(visit);
    constexpr std::int64_t window_us = 90 * day_us;
    return (word == "new" || word == "confirmed") && visit.start.micros + visit_us > now.micros &&
           visit.start.micros <= now.micros + window_us;
}

Shown shown(const Patient& patient, Timestamp now) {
    Shown out;
    std::set<std::int64_t> days;
    const Visit* next = nullptr;
    for (const auto& [key, visit] : patient.visits) {
        if (visit.status == "completed" && visit.start <= now) days.insert(day_of(visit.start));
        if (!visit.open() || visit.start.micros < now.micros - grace_us) continue;
        if (next == nullptr || visit.start < next->start) next = &visit;
    }
    out.stage = !patient.active ? "inactive" : days.size() >= 2 ? "active" : "new";
    if (out.stage == "new") out.stage_tags = {"ce-new-patient"};
    if (out.stage == "active") out.stage_tags = {"ce-returning"};
    out.last = days.empty() ? "none" : distance(day_of(now) - *days.rbegin());
    out.next = next == nullptr ? "none" : bucket_ahead(now, next->start);
    if (next != nullptr) {
        out.appointment = {{next->status, out.next}};
        if (out.next == "past") out.appointment.insert({"", ""}); // of a day that is over no new contact is told
        return out;
    }
    // Which of those that are over was told last depends on when it was told; one that was never told is not there.
    if (patient.visits.empty() ||
        std::ranges::none_of(patient.visits, [](const auto& one) { return one.second.open(); }))
        out.appointment.insert({"", ""});
    for (const auto& [key, visit] : patient.visits)
        out.appointment.insert({visit.status, bucket_ahead(now, visit.start)});
    out.appointment.insert({"none", "none"});
    return out;
}

} // namespace clinic::model
