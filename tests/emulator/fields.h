// The location's custom fields. Live they are made once by hand and their ids go into the box's configuration.
//   Source: facts/ghl-api §3.1 "customFields input" and §3.2.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"
#include "tests/emulator/exchange.h"

namespace clinic::emulator {

// Stable ids of the default fields.
inline constexpr const char* field_ce_pid = "CEpid00000000000000A";
inline constexpr const char* field_ce_stage = "CEstage000000000000B";
inline constexpr const char* field_ce_last = "CElast0000000000000C";
inline constexpr const char* field_ce_next = "CEnext0000000000000D";
inline constexpr const char* field_ce_appt_status = "CEapptstatus0000000E";
inline constexpr const char* field_ce_appt_when = "CEapptwhen000000000F";

struct CustomField {
    std::string id;
    std::string name;                 // key without the "contact." prefix
    std::string data_type;            // TEXT, SINGLE_OPTIONS, NUMERICAL, …
    std::vector<std::string> options; // of the option types
};

std::vector<CustomField> default_fields();
// A JSON array of {"id","name","dataType","options"?}. Errors: those of the file; malformed.
Result<std::vector<CustomField>> read_fields(const std::filesystem::path& file);
// {"ce_pid":"…", …}: name to id.
std::string fields_as_json(const std::vector<CustomField>& fields);

const CustomField* find_field(const std::vector<CustomField>& fields, std::string_view id);
Json described(const CustomField& field, std::string_view location, int position);

// Puts the `customFields` of a body into `stored` ([{id,value}]); fields not mentioned keep their value, an empty
// one goes. Nothing is changed when it refuses.
std::optional<Answer> merge_fields(const std::vector<CustomField>& fields, const Json& given, Json& stored);

} // namespace clinic::emulator
