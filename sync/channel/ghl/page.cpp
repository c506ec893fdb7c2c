#include "sync/channel/ghl/page.h"

#include <sodium.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "crypto/base/json.h"
#include "sync/channel/ghl/answer.h"
#include "sync/envelope/crm_strip.h"

namespace clinic::ghl {
namespace {

using envelope::CrmKind;
using envelope::Route;
using envelope::strip;
using nlohmann::json;

constexpr int depth_max = 16;
constexpr std::size_t things_max = 1'000;

CrmKind kind_of(Route route) {
    if (route == Route::contacts_changed) return CrmKind::contact;
    return route == Route::opportunities_page ? CrmKind::opportunity : CrmKind::appointment;
}

// Of an answer that holds one thing.
struct Alone {
    const char* key;
    CrmKind kind;
};

std::optional<Alone> shown_alone(Route route) {
    switch (route) {
    case Route::location_read: return Alone{"location", CrmKind::location};
    case Route::contact_read: return Alone{"contact", CrmKind::contact};
    case Route::case_read: return Alone{"opportunity", CrmKind::opportunity};
    case Route::booking_read: return Alone{"event", CrmKind::appointment};
    default: return std::nullopt;
    }
}

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

const json* list_of(const json& body, Route route) {
    const auto* list = member(body, route == Route::contacts_changed     ? "contacts"
                                    : route == Route::opportunities_page ? "opportunities"
                                                                         : "events");
    return list != nullptr && list->is_array() && list->size() <= things_max ? list : nullptr;
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
    if (const auto alone = shown_alone(route)) {
        const auto* shown = member(*parsed, alone->key);
        auto fact = shown == nullptr ? std::nullopt : strip(alone->kind, *shown, how.rules, how.read_ms);
        page.whole = fact.has_value();
        if (fact) page.facts.push_back(std::move(*fact));
        return page;
    }
    const auto* list = list_of(*parsed, route);
    if (list == nullptr) return page;
    page.whole = true;
    page.things = list->size();
    for (const auto& shown : *list) {
        auto fact = strip(kind_of(route), shown, how.rules, how.read_ms);
        if (!fact) continue;
        if (how.with_people && route == Route::contacts_changed && !fact->deleted()) {
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
