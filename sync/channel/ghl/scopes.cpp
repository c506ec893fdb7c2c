#include "sync/channel/ghl/scopes.h"

#include <algorithm>
#include <array>
#include <utility>

namespace clinic::ghl {
namespace {

constexpr std::size_t cases = 9, bookings = 10; // places in the table

constexpr std::array needed{
    MissingScope{"locations.readonly", "the probe that finds out whether the way to GHL is open"},
    MissingScope{"contacts.readonly", "finding a contact by the box's own marker"},
    MissingScope{"contacts.write", "contacts, their tags and fields: all that is delivered"},
    MissingScope{"locations/customFields.readonly", "seeing that the fields it writes to are there"},
    MissingScope{"locations/customFields.write", "making those fields (clinicctl ghl prepare)"},
    MissingScope{"locations/tags.readonly", "showing which of our tags the location has"},
    MissingScope{"opportunities.readonly", "showing its pipelines, and seeing what becomes of opportunities"},
    MissingScope{"calendars.readonly", "showing its calendars"},
    MissingScope{"calendars/events.readonly", "seeing what is booked in GHL"},
    MissingScope{"opportunities.write", "opening and moving opportunities, where a pipeline is set"},
    MissingScope{"calendars/events.write", "telling the state of bookings, and making them, where they are set"},
};

bool is_needed(std::size_t place, Wants wants) {
    return (place != cases || wants.cases) && (place != bookings || wants.bookings);
}

bool holds(std::string_view granted, std::string_view scope) {
    while (!granted.empty()) {
        const auto one = granted.substr(0, granted.find(' '));
        if (one == scope) return true;
        granted.remove_prefix(std::min(granted.size(), one.size() + 1));
    }
    return false;
}

} // namespace

Wants wants_of(const envelope::WriteRules& rules) {
    return {.cases = !rules.pipeline.id.empty(), .bookings = rules.bookings};
}

std::string needed_scopes(Wants wants) {
    std::string all;
    for (std::size_t i = 0; i < needed.size(); ++i)
        if (is_needed(i, wants)) (all += all.empty() ? "" : " ") += needed.at(i).scope.c_str();
    return all;
}

std::vector<MissingScope> missing_scopes(std::string_view granted, Wants wants) {
    std::vector<MissingScope> missing;
    for (std::size_t i = 0; i < needed.size(); ++i)
        if (is_needed(i, wants) && !holds(granted, needed.at(i).scope.c_str())) missing.push_back(needed.at(i));
    return missing;
}

MissingScope needed_for(envelope::Route route) {
    switch (route) {
    case envelope::Route::location_read: return needed[0];
    case envelope::Route::contact_read:
    case envelope::Route::contact_search:
    case envelope::Route::booking_search: // of a contact
    case envelope::Route::contacts_changed: return needed[1];
    case envelope::Route::case_search:
    case envelope::Route::case_read:
    case envelope::Route::opportunities_page: return needed[6];
    case envelope::Route::booking_read:
    case envelope::Route::calendar_events: return needed[8];
    case envelope::Route::case_create:
    case envelope::Route::case_update: return needed[cases];
    case envelope::Route::booking_create:
    case envelope::Route::booking_update: return needed[bookings];
    case envelope::Route::fields_read: return needed[3];
    case envelope::Route::field_create: return needed[4];
    case envelope::Route::tags_read: return needed[5];
    case envelope::Route::pipelines_read: return needed[6];
    case envelope::Route::calendars_read: return needed[7];
    case envelope::Route::contact_create:
    case envelope::Route::contact_fields:
    case envelope::Route::tags_add:
    case envelope::Route::tags_remove: break;
    }
    return needed[2];
}

} // namespace clinic::ghl
