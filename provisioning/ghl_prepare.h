// `clinicctl ghl prepare`: what GHL's location has of what the box needs, and what is missing; with --apply the missing
// fields are made and the ids of all six are written into both settings files. Asked of clinic-syncd; as root.
#pragma once

#include "provisioning/call.h"
#include "provisioning/client.h"
#include "provisioning/setup/box_files.h"
#include "sync/diagnose/said/location_said.h"
#include "sync/envelope/frame.h"

namespace clinic::provisioning {

int prepare_ghl(const Call& call, const Client& client);

// For the setup as well. Of six fields that are there, their ids by our names; nothing where one is not, or does not
// take our words.
std::optional<nlohmann::json> ids_of(const diagnose::LocationSaid& said);
nlohmann::json calendars_of(const diagnose::LocationSaid& said); // their ids
// What is the matter with each field that is not as it must be, a line each; empty: nothing.
std::string troubles_of(const diagnose::LocationSaid& said);

} // namespace clinic::provisioning
