#include "sync/channel/ghl/dialect.h"

#include <algorithm>
#include <string>

namespace clinic::ghl {
namespace {

// A key of a body or a name of a query, as the dated versions have it and as this one does.
struct Renamed {
    Module module;
    const char *dated, *here;
};
constexpr std::array<Renamed, 0> nothing{};
constexpr std::array renamed_in_v3{
    Renamed{Module::contacts, "field_value", "fieldValue"},
    Renamed{Module::opportunities, "location_id", "locationId"},
    Renamed{Module::opportunities, "contact_id", "contactId"},
    Renamed{Module::opportunities, "pipeline_id", "pipelineId"},
};

struct Version {
    const char* name;
    const Renamed *first, *last;
};
constexpr std::array versions{
    Version{"2021-07-28", nothing.begin(), nothing.end()},
    Version{"2021-04-15", nothing.begin(), nothing.end()},
    Version{"v3", renamed_in_v3.begin(), renamed_in_v3.end()},
};

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
        text.replace(at, from.size(), to);
}

} // namespace

Module module_of(Route route) {
    switch (route) {
    case Route::location_read:
    case Route::fields_read:
    case Route::field_create:
    case Route::tags_read: return Module::locations;
    case Route::opportunities_page:
    case Route::case_create:
    case Route::case_update:
    case Route::case_search:
    case Route::case_read:
    case Route::pipelines_read: return Module::opportunities;
    case Route::calendar_events:
    case Route::booking_create:
    case Route::booking_update:
    case Route::booking_read:
    case Route::calendars_read: return Module::calendars;
    case Route::booking_search: // of a contact
    case Route::contact_create:
    case Route::contact_read:
    case Route::contact_search:
    case Route::contacts_changed:
    case Route::contact_fields:
    case Route::tags_add:
    case Route::tags_remove: break;
    }
    return Module::contacts;
}

Result<void> Dialects::speak(Module module, std::string_view version) {
    const auto* found =
        std::find_if(versions.begin(), versions.end(), [&](const Version& one) { return version == one.name; });
    if (found == versions.end())
        return Error{Errc::unsupported, "a version of GHL's API that this release does not speak",
                     "2021-07-28, 2021-04-15 or v3"};
    versions_.at(static_cast<std::size_t>(module)) = static_cast<std::uint8_t>(found - versions.begin());
    return {};
}

const char* Dialects::version(Route route) const {
    return versions.at(versions_.at(static_cast<std::size_t>(module_of(route)))).name;
}

// No value of ours holds a quote, so that a key is found by its own.
Call Dialects::spoken(Call call) const {
    const Module module = module_of(call.route);
    const auto& [name, first, last] = versions.at(versions_.at(static_cast<std::size_t>(module)));
    for (const auto* one = first; one != last; ++one) {
        if (one->module != module) continue;
        replace_all(call.body, std::string{"\""} + one->dated + "\":", std::string{"\""} + one->here + "\":");
        for (const char* before : {"?", "&"})
            replace_all(call.path, std::string{before} + one->dated + "=", std::string{before} + one->here + "=");
    }
    return call;
}

} // namespace clinic::ghl
