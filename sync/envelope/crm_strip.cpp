#include "sync/envelope/crm_strip.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "sync/envelope/crm_reads.h"

namespace clinic::envelope {
namespace {

using nlohmann::json;

constexpr std::int64_t without_end_ms = 1'800'000;

const json* member(const json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
}

std::string_view text(const json& object, const char* key) {
    const auto* value = member(object, key);
    return value != nullptr && value->is_string() ? std::string_view{value->get_ref<const std::string&>()}
                                                  : std::string_view{};
}

std::string id(const json& object, const char* key) {
    const auto value = text(object, key);
    return is_contact_id(value) ? std::string{value} : std::string{};
}

// dateUpdated, updatedAt: ISO, or milliseconds. One that no fact may have is none: 0.
std::int64_t time(const json& object, const char* key) {
    const auto* value = member(object, key);
    const bool counted = value != nullptr && value->is_number_integer();
    const std::int64_t ms = counted ? value->get<std::int64_t>() : ms_of(text(object, key));
    return ms > 0 && ms < crm_ms_max ? ms : 0;
}

template <class Enum, class List>
std::optional<Enum> word(std::string_view wanted, const List& all) {
    for (const Enum one : all)
        if (wanted == name(one)) return one;
    return std::nullopt;
}

bool is_listed(std::string_view wanted, const std::vector<std::string>& list) {
    return std::ranges::find(list, wanted) != list.end();
}

// A value that is none of the field's own words is as good as none: what it says is not ours to hold.
template <class Enum, Enum Last>
std::string word_or_empty(std::string_view value) {
    if (value == "none") return "none";
    for (int i = 0; i <= static_cast<int>(Last); ++i)
        if (value == name(static_cast<Enum>(i))) return std::string{value};
    return {};
}

std::string time_or_empty(std::string_view value) {
    return TimeBucket::parse(value) ? std::string{value} : std::string{};
}

void read_field(std::string_view field, std::string_view value, const WriteRules::Fields& ids, CrmContact& out) {
    if (field == ids.pid && Pseudonym::parse(value, 'p')) out.pid = value;
    if (field == ids.stage) out.stage = word_or_empty<Stage, Stage::archived>(value);
    if (field == ids.last) out.last = time_or_empty(value);
    if (field == ids.next) out.next = time_or_empty(value);
    if (field == ids.appt_status) out.appt_status = word_or_empty<ApptStatus, ApptStatus::rescheduled>(value);
    if (field == ids.appt_when) out.appt_when = time_or_empty(value);
}

void read_tag(std::string_view tag, const WriteRules& rules, CrmContact& out) {
    for (const char* known : vocabulary)
        if (const auto ours = Word::parse(known); tag_of(*ours, rules.tag_prefix) == tag) out.tags.push_back(*ours);
    if (is_listed(tag, rules.reads.campaigns) && out.campaigns.size() < campaigns_max) out.campaigns.emplace_back(tag);
}

template <class T>
void sort_each_once(std::vector<T>& all) {
    std::ranges::sort(all);
    all.erase(std::unique(all.begin(), all.end()), all.end());
}

// For all channels, or for one of them: a STOP by SMS sets that channel's alone. `permanent`: set by GHL itself.
bool is_not_to_be_disturbed(const json& shown) {
    if (const auto* all = member(shown, "dnd"); all != nullptr && *all == true) return true;
    const auto* channels = member(shown, "dndSettings");
    return channels != nullptr && channels->is_object() && std::ranges::any_of(*channels, [](const json& channel) {
               const auto status = text(channel, "status");
               return status == "active" || status == "permanent";
           });
}

std::optional<CrmFact> contact(const json& shown, const WriteRules& rules, std::int64_t read_ms) {
    CrmFact fact{.id = id(shown, "id"),
                 .kind = CrmKind::contact,
                 .updated_ms = time(shown, "dateUpdated"),
                 .read_ms = read_ms,
                 .said = {}};
    if (fact.id.empty()) return std::nullopt;
    CrmContact out;
    out.dnd = is_not_to_be_disturbed(shown);
    if (const auto* fields = member(shown, "customFields"); fields != nullptr && fields->is_array())
        for (const auto& one : *fields) read_field(text(one, "id"), text(one, "value"), rules.fields, out);
    if (const auto* tags = member(shown, "tags"); tags != nullptr && tags->is_array())
        for (const auto& tag : *tags)
            if (tag.is_string()) read_tag(tag.get_ref<const std::string&>(), rules, out);
    sort_each_once(out.tags);
    sort_each_once(out.campaigns);
    if (const auto source = text(shown, "source"); is_listed(source, rules.reads.sources)) out.source = source;
    fact.said = std::move(out);
    return fact;
}

// v3 has two more (facts/ghl-api §0). Unread, such a booking would be taken for one that is gone.
std::optional<Booking> booking_status(std::string_view status) {
    static constexpr std::array all{Booking::new_,   Booking::confirmed, Booking::cancelled,
                                    Booking::showed, Booking::noshow,    Booking::invalid};
    if (status == "completed") return Booking::showed;
    if (status == "active") return Booking::confirmed;
    return word<Booking>(status, all);
}

std::optional<CrmFact> appointment(const json& shown, const WriteRules& rules, std::int64_t read_ms) {
    CrmFact fact{.id = id(shown, "id"),
                 .kind = CrmKind::appointment,
                 .updated_ms = time(shown, "dateUpdated"),
                 .read_ms = read_ms,
                 .said = {}};
    const auto calendar = id(shown, "calendarId");
    const auto status = booking_status(text(shown, "appointmentStatus"));
    const auto from = time(shown, "startTime");
    auto until = time(shown, "endTime");
    if (until <= from) until = from + without_end_ms;
    const std::int64_t from_quarter = from / quarter_ms, until_quarter = (until + quarter_ms - 1) / quarter_ms;
    if (fact.id.empty() || !status || from == 0 || until_quarter - from_quarter > slot_quarters_max ||
        until_quarter > crm_ms_max / quarter_ms || !is_listed(calendar, rules.reads.calendars))
        return std::nullopt;
    fact.said = CrmAppointment{id(shown, "contactId"), calendar, *status, from_quarter, until_quarter};
    return fact;
}

std::optional<CrmFact> opportunity(const json& shown, std::int64_t read_ms) {
    static constexpr std::array all{Case::open, Case::won, Case::lost, Case::abandoned};
    CrmFact fact{.id = id(shown, "id"),
                 .kind = CrmKind::opportunity,
                 .updated_ms = time(shown, "updatedAt"),
                 .read_ms = read_ms,
                 .said = {}};
    const auto status = word<Case>(text(shown, "status"), all);
    const auto pipeline = id(shown, "pipelineId");
    if (fact.id.empty() || !status || pipeline.empty()) return std::nullopt;
    fact.said = CrmOpportunity{id(shown, "contactId"), pipeline, id(shown, "pipelineStageId"), *status};
    return fact;
}

std::optional<CrmFact> deletion(CrmKind kind, const json& shown, const WriteRules& rules, std::int64_t read_ms) {
    CrmFact fact{.id = id(shown, "id"),
                 .kind = kind,
                 .updated_ms = time(shown, kind == CrmKind::opportunity ? "updatedAt" : "dateUpdated"),
                 .read_ms = read_ms,
                 .said = {}};
    const auto calendar = text(shown, "calendarId");
    const bool of_others =
        kind == CrmKind::appointment && !calendar.empty() && !is_listed(calendar, rules.reads.calendars);
    return fact.id.empty() || of_others ? std::nullopt : std::optional{std::move(fact)};
}

std::optional<CrmFact> location(const json& shown, const WriteRules& rules, std::int64_t read_ms) {
    const auto zone = text(shown, "timezone");
    if (text(shown, "id") != rules.location || !is_zone(zone)) return std::nullopt;
    return CrmFact{.id = rules.location,
                   .kind = CrmKind::location,
                   .updated_ms = 0,
                   .read_ms = read_ms,
                   .said = CrmLocation{std::string{zone}}};
}

} // namespace

bool is_deleted(const json& shown) {
    const auto* deleted = member(shown, "deleted");
    return deleted != nullptr && *deleted == true;
}

bool is_configured(const CrmFact& fact, const WriteRules::Reads& reads) {
    if (const auto* contact = std::get_if<CrmContact>(&fact.said))
        return std::ranges::all_of(contact->campaigns,
                                   [&](const auto& word) { return is_listed(word, reads.campaigns); }) &&
               (contact->source.empty() || is_listed(contact->source, reads.sources));
    if (const auto* booked = std::get_if<CrmAppointment>(&fact.said))
        return is_listed(booked->calendar, reads.calendars);
    return true;
}

bool is_configured(const CrmFact& fact, const WriteRules& rules) {
    return (fact.kind != CrmKind::location || fact.id == rules.location) && is_configured(fact, rules.reads);
}

std::optional<CrmFact> strip(CrmKind kind, const json& shown, const WriteRules& rules, std::int64_t read_ms) {
    if (kind != CrmKind::location && is_deleted(shown)) return deletion(kind, shown, rules, read_ms);
    switch (kind) {
    case CrmKind::contact: return contact(shown, rules, read_ms);
    case CrmKind::appointment: return appointment(shown, rules, read_ms);
    case CrmKind::opportunity: return opportunity(shown, read_ms);
    case CrmKind::location: break;
    }
    return location(shown, rules, read_ms);
}

} // namespace clinic::envelope
