// The requests that are ever sent to GHL, as route, path and body. Pure; the write set and nothing else.
//   Source: facts/ghl-api §3.1, §3.6, §6.3; design, "From envelope to request"; docs/ghl.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sync/envelope/frame.h"

namespace clinic::ghl {

using envelope::Route;
using envelope::WriteRules;

struct Call {
    Route route;
    std::string path;
    std::string body; // empty: none
    friend bool operator==(const Call&, const Call&) = default;
};

using FieldValue = std::pair<std::string, std::string>; // configured field id, word
using Tags = std::vector<envelope::Word>;

Call read_location(const WriteRules& rules);
Call read_fields(const WriteRules& rules);
Call create_field(const WriteRules& rules, envelope::Part part);
Call read_tags(const WriteRules& rules);
Call read_pipelines(const WriteRules& rules);
Call read_calendars(const WriteRules& rules);
Call search_marker(const WriteRules& rules, std::string_view pid);
Call create_shell(const WriteRules& rules, std::string_view pid, const Tags& tags,
                  const std::vector<FieldValue>& fields);
enum class Dnd : std::uint8_t { as_it_is, set }; // do-not-disturb: set by us, and never taken back
Call read_contact(std::string_view contact);
Call put_fields(std::string_view contact, const std::vector<FieldValue>& fields, Dnd dnd = Dnd::as_it_is);
Call add_tags(const WriteRules& rules, std::string_view contact, const Tags& tags);
Call remove_tags(const WriteRules& rules, std::string_view contact, const Tags& tags);

// Of the contact's opportunity in the configured pipeline. A word that has no stage there leaves it where it is.
Call search_case(const WriteRules& rules, std::string_view contact);
Call read_case(std::string_view opportunity);
Call create_case(const WriteRules& rules, std::string_view contact, const envelope::MetadataEnvelope& state);
Call put_case(const WriteRules& rules, std::string_view opportunity, const envelope::MetadataEnvelope& state);
// Of a booking, `state` is a booking.state; its time is written where it has one.
Call search_bookings(std::string_view contact);
Call read_booking(std::string_view booking);
Call create_booking(const WriteRules& rules, std::string_view contact, const envelope::MetadataEnvelope& state);
Call put_booking(std::string_view booking, const envelope::MetadataEnvelope& state);

} // namespace clinic::ghl
