#include "sync/channel/ghl/page.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "crypto/base/json.h"
#include "sync/channel/ghl/answer.h"
#include "sync/envelope/crm_reads.h"

namespace clinic::ghl {
namespace {

using envelope::CrmAppointment;
using envelope::CrmContact;
using envelope::CrmFact;
using envelope::CrmKind;
using envelope::CrmLocation;
using envelope::CrmOpportunity;
using envelope::Route;
using envelope::Word;
using nlohmann::json;

constexpr int depth_max = 16;
constexpr std::size_t things_max = 1'000;
constexpr std::int64_t quarter_ms = 900'000;
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
    return envelope::is_contact_id(value) ? std::string{value} : std::string{};
}

// dateUpdated, updatedAt: ISO, or milliseconds.
std::int64_t time(const json& object, const char* key) {
    const auto* value = member(object, key);
    if (value != nullptr && value->is_number_integer()) return std::max<std::int64_t>(0, value->get<std::int64_t>());
    return std::max<std::int64_t>(0, envelope::ms_of(text(object, key)));
}

template <class Enum, class List>
std::optional<Enum> word(std::string_view wanted, const List& all) {
    for (const Enum one : all)
        if (wanted == envelope::name(one)) return one;
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
        if (value == envelope::name(static_cast<Enum>(i))) return std::string{value};
    return {};
}

std::string time_or_empty(std::string_view value) {
    return envelope::TimeBucket::parse(value) ? std::string{value} : std::string{};
}

void read_field(std::string_view field, std::string_view value, const envelope::WriteRules::Fields& ids,
                CrmContact& out) {
    if (field == ids.pid && envelope::Pseudonym::parse(value, 'p')) out.pid = value;
    if (field == ids.stage) out.stage = word_or_empty<envelope::Stage, envelope::Stage::archived>(value);
    if (field == ids.last) out.last = time_or_empty(value);
    if (field == ids.next) out.next = time_or_empty(value);
    if (field == ids.appt_status)
        out.appt_status = word_or_empty<envelope::ApptStatus, envelope::ApptStatus::rescheduled>(value);
    if (field == ids.appt_when) out.appt_when = time_or_empty(value);
}

void read_tag(std::string_view tag, const envelope::WriteRules& rules, CrmContact& out) {
    for (const char* known : envelope::vocabulary)
        if (const auto ours = Word::parse(known); envelope::tag_of(*ours, rules.tag_prefix) == tag)
            out.tags.push_back(*ours);
    if (is_listed(tag, rules.reads.campaigns) && out.campaigns.size() < envelope::campaigns_max)
        out.campaigns.emplace_back(tag);
}

template <class T>
void sort_each_once(std::vector<T>& all) {
    std::ranges::sort(all);
    all.erase(std::unique(all.begin(), all.end()), all.end());
}

std::optional<CrmFact> contact(const json& shown, const PageRules& how) {
    CrmFact fact{.id = id(shown, "id"),
                 .kind = CrmKind::contact,
                 .updated_ms = time(shown, "dateUpdated"),
                 .read_ms = how.read_ms,
                 .said = {}};
    if (fact.id.empty()) return std::nullopt;
    CrmContact out;
    if (const auto* dnd = member(shown, "dnd")) out.dnd = dnd->is_boolean() && dnd->get<bool>();
    if (const auto* fields = member(shown, "customFields"); fields != nullptr && fields->is_array())
        for (const auto& one : *fields) read_field(text(one, "id"), text(one, "value"), how.rules.fields, out);
    if (const auto* tags = member(shown, "tags"); tags != nullptr && tags->is_array())
        for (const auto& tag : *tags)
            if (tag.is_string()) read_tag(tag.get_ref<const std::string&>(), how.rules, out);
    sort_each_once(out.tags);
    sort_each_once(out.campaigns);
    if (const auto source = text(shown, "source"); is_listed(source, how.rules.reads.sources)) out.source = source;
    fact.said = std::move(out);
    return fact;
}

std::optional<CrmFact> appointment(const json& shown, const PageRules& how) {
    using envelope::Booking;
    static constexpr std::array all{Booking::new_,   Booking::confirmed, Booking::cancelled,
                                    Booking::showed, Booking::noshow,    Booking::invalid};
    CrmFact fact{.id = id(shown, "id"),
                 .kind = CrmKind::appointment,
                 .updated_ms = time(shown, "dateUpdated"),
                 .read_ms = how.read_ms,
                 .said = {}};
    const auto calendar = id(shown, "calendarId");
    const auto status = word<Booking>(text(shown, "appointmentStatus"), all);
    const auto from = time(shown, "startTime");
    auto until = time(shown, "endTime");
    if (until <= from) until = from + without_end_ms;
    if (fact.id.empty() || !status || from == 0 || !is_listed(calendar, how.rules.reads.calendars)) return std::nullopt;
    fact.said = CrmAppointment{id(shown, "contactId"), calendar, *status, from / quarter_ms,
                               (until + quarter_ms - 1) / quarter_ms};
    return fact;
}

std::optional<CrmFact> opportunity(const json& shown, const PageRules& how) {
    using envelope::Case;
    static constexpr std::array all{Case::open, Case::won, Case::lost, Case::abandoned};
    CrmFact fact{.id = id(shown, "id"),
                 .kind = CrmKind::opportunity,
                 .updated_ms = time(shown, "updatedAt"),
                 .read_ms = how.read_ms,
                 .said = {}};
    const auto status = word<Case>(text(shown, "status"), all);
    const auto pipeline = id(shown, "pipelineId");
    if (fact.id.empty() || !status || pipeline.empty()) return std::nullopt;
    fact.said = CrmOpportunity{id(shown, "contactId"), pipeline, id(shown, "pipelineStageId"), *status};
    return fact;
}

std::optional<CrmFact> location(const json& shown, const PageRules& how) {
    const auto zone = text(shown, "timezone");
    if (text(shown, "id") != how.rules.location || !envelope::is_zone(zone)) return std::nullopt;
    return CrmFact{.id = how.rules.location,
                   .kind = CrmKind::location,
                   .updated_ms = 0,
                   .read_ms = how.read_ms,
                   .said = CrmLocation{std::string{zone}}};
}

const json* list_of(const json& body, Route route) {
    const auto* list = member(body, route == Route::contacts_changed     ? "contacts"
                                    : route == Route::opportunities_page ? "opportunities"
                                                                         : "events");
    return list != nullptr && list->is_array() && list->size() <= things_max ? list : nullptr;
}

std::optional<CrmFact> fact_of(const json& shown, Route route, const PageRules& how) {
    if (route == Route::contacts_changed) return contact(shown, how);
    return route == Route::opportunities_page ? opportunity(shown, how) : appointment(shown, how);
}

void wipe(std::string& value) {
    sodium_memzero(value.data(), value.size());
}

} // namespace

Person::~Person() {
    wipe(phone);
    wipe(email);
}

Page read_page(Route route, std::string_view body, const PageRules& how) {
    Page page;
    const auto parsed = base::parse_json(body, body_bytes_max, depth_max);
    if (!parsed) return page;
    if (route == Route::location_read) {
        const auto* shown = member(*parsed, "location");
        auto fact = shown == nullptr ? std::nullopt : location(*shown, how);
        page.whole = fact.has_value();
        if (fact) page.facts.push_back(std::move(*fact));
        return page;
    }
    const auto* list = list_of(*parsed, route);
    if (list == nullptr) return page;
    page.whole = true;
    page.things = list->size();
    for (const auto& shown : *list) {
        auto fact = fact_of(shown, route, how);
        if (!fact) continue;
        if (how.with_people && route == Route::contacts_changed) {
            Person person;
            person.contact = fact->id;
            person.phone = text(shown, "phone");
            person.email = text(shown, "email");
            page.people.push_back(std::move(person));
        }
        page.facts.push_back(std::move(*fact));
    }
    return page;
}

} // namespace clinic::ghl
