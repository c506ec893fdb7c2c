// Within step 6: where the settings have no ids of GHL's custom fields, those are found in the location, or made there,
// and written down. Nobody types one.
#include <nlohmann/json.hpp>

#include "provisioning/ghl_prepare.h"
#include "provisioning/setup_steps.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

constexpr int patience_s = 120;

std::string made_of(const diagnose::LocationSaid& said) {
    std::string names;
    for (const auto& field : said.fields)
        if (field.state == "made") names += (names.empty() ? "" : ", ") + field.name;
    return names;
}

// The programs read the ids at their start. `waits` is noted before they are written, so that a setup that was cut
// behind that starts them all the same.
constexpr const char *ids_noted = "ids", *waits = "wait for a start";

bool note(const SetupDesk& desk, const char* what) {
    const auto noted = desk.progress.note(ids_noted, what);
    if (!noted) desk.talk.stop(noted.error());
    return static_cast<bool>(noted);
}

bool start_with_the_ids(const SetupDesk& desk) {
    return restart_programs(desk.talk) && records_are_open(desk) && note(desk, "in use");
}

} // namespace

bool know_fields(const SetupDesk& desk) {
    const auto now = desk.files.ghl();
    if (!now) return desk.talk.stop(now.error()), false;
    if (now->contains("fields")) return desk.progress.noted(ids_noted) != waits || start_with_the_ids(desk);
    const auto socket = desk.files.ask_socket();
    if (!socket) return desk.talk.stop(socket.error()), false;
    const auto said = diagnose::ask_location(socket->string(), true, patience_s);
    if (!said) return desk.talk.stop(said.error()), false;
    const auto ids = ids_of(*said);
    if (!ids) {
        for (const auto& field : said->fields)
            if (field.state != "there" && field.state != "made")
                desk.talk.say("GHL: " + field.name + ": " + field.state +
                              (field.type.empty() ? "" : ", " + field.type));
        desk.talk.stop("the custom fields of GHL's location are not as they must be",
                       "clinicctl ghl prepare says what to do about each; then: clinicctl setup");
        return false;
    }
    const auto made = made_of(*said);
    desk.talk.say(made.empty() ? "GHL: the six custom fields are there." : "GHL: made the custom fields " + made + ".");
    if (!note(desk, waits)) return false;
    if (const auto written = desk.files.write_location(*ids, calendars_of(*said)); !written)
        return desk.talk.stop(written.error()), false;
    return start_with_the_ids(desk);
}

} // namespace clinic::provisioning
