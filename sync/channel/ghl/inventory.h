// What GHL's location has of what concerns us: custom fields, our tags, pipelines, calendars; and what of it is not as
// it is configured. Names are the clinic's own and of no person.
//   Bounds:  what a body of 256 KiB holds; a name: 64 bytes.
//   Threads: values; any.
//   Source:  facts/ghl-api §3.2, §3.3, §3.4; docs/ghl.md, "What the location has".
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "sync/envelope/frame.h"

namespace clinic::ghl {

struct CustomField {
    std::string id, name, type; // name: the key without "contact."
    std::vector<std::string> options;
};
struct Named {
    std::string id, name;
};
struct Pipeline {
    std::string id, name;
    std::vector<Named> stages;
};

// Of one answer; nothing: it does not list that.
struct Listed {
    std::optional<std::vector<CustomField>> fields;
    std::optional<std::vector<std::string>> tags;
    std::optional<std::vector<Pipeline>> pipelines;
    std::optional<std::vector<Named>> calendars;
    std::string created; // customField.id of a create
};
Listed read_listed(const nlohmann::json& body);

struct Inventory : Listed {
    std::vector<std::pair<const char*, std::string>> unread; // "pipelines", and why: our code
    std::vector<envelope::Part> created_parts, failed_parts; // of a survey that makes what is missing
};

// The field of ours by its name; null: there is none.
const CustomField* ours(const Inventory& there, envelope::Part part);
// What keeps it from taking our words; nothing: it takes them.
std::optional<envelope::Lack> lack_of(const CustomField& field, envelope::Part part);

// What is configured and not so. What was not read is not judged.
std::vector<envelope::LocationFault> faults_of(const envelope::WriteRules& rules, const Inventory& there);

} // namespace clinic::ghl
