#include "daemon/egress/said.h"

#include <map>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"

namespace clinic::egress {
namespace {

using envelope::Field;
using nlohmann::json;
using Names = std::map<std::string, std::string, std::less<>>;

constexpr int depth_max = 6;

Names names_of(const envelope::WriteRules& rules, std::span<const outbox::Leased> lease,
               std::span<const std::string> ids) {
    Names names;
    for (const std::string& id : ids)
        if (envelope::is_contact_id(id)) names[id] = "{contact}"; // a time is said as it is
    for (const auto& one : lease)
        for (const auto& [field, name] :
             {std::pair{Field::pid, "{pid}"}, std::pair{Field::aid, "{aid}"}, std::pair{Field::old, "{old}"}})
            if (const auto id = one.envelope.text(field); !id.empty()) names[std::string{id}] = name;
    for (const auto& one : lease)
        if (!one.object.empty())
            names[one.object] = one.envelope.kind() == envelope::Kind::case_state ? "{opportunity}" : "{booking}";
    names[rules.location] = "{location}";
    if (!rules.pipeline.id.empty()) names[rules.pipeline.id] = "{pipeline}";
    if (!rules.booking_calendar.empty()) names[rules.booking_calendar] = "{calendar}";
    return names;
}

std::string name_of_field(const envelope::WriteRules::Fields& fields, const std::string& id) {
    for (const auto& [known, name] :
         {std::pair{&fields.pid, "ce_pid"}, std::pair{&fields.stage, "ce_stage"}, std::pair{&fields.last, "ce_last"},
          std::pair{&fields.next, "ce_next"}, std::pair{&fields.appt_status, "ce_appt_status"},
          std::pair{&fields.appt_when, "ce_appt_when"}})
        if (*known == id) return name;
    return id;
}

void rename(json& value, const Names& names) {
    if (value.is_structured())
        for (auto& one : value) rename(one, names);
    else if (value.is_string())
        if (const auto name = names.find(value.get_ref<const std::string&>()); name != names.end())
            value = name->second;
}

// "/contacts/abc/tags": an id is a whole part of it, also in a query.
std::string renamed_path(std::string_view path, const Names& names) {
    std::string out;
    while (!path.empty()) {
        const auto end = std::min(path.find_first_of("/?&=", 1), path.size());
        const auto name = names.find(path.substr(1, end - 1));
        ((out += path.front()) += name != names.end() ? name->second : std::string{path.substr(1, end - 1)});
        path.remove_prefix(end);
    }
    return out;
}

// The custom fields stand among the others, each by its own name.
json flat(json body, const envelope::WriteRules& rules) {
    const auto custom = body.find("customFields");
    if (custom == body.end() || !custom->is_array()) return body;
    const json fields = *custom;
    body.erase(custom);
    for (const json& one : fields)
        for (const char* value : {"field_value", "fieldValue"}) // as the version has it that contacts are spoken to in
            if (one.is_object() && one.contains("id") && one.contains(value) && one.at("id").is_string())
                body[name_of_field(rules.fields, one.at("id").get<std::string>())] = one.at(value);
    return body;
}

} // namespace

std::string said_by(const envelope::WriteRules& rules, const envelope::Attempt& attempt,
                    std::span<const outbox::Leased> lease, std::span<const std::string> ids) {
    const Names names = names_of(rules, lease, ids);
    json fields = json::object();
    if (!attempt.body.empty()) {
        auto body = base::parse_json(attempt.body, envelope::attempt_body_bytes_max, depth_max);
        if (!body || !body->is_object()) return {};
        fields = flat(std::move(*body), rules);
        rename(fields, names);
    }
    return base::dump_json({{"path", renamed_path(attempt.path, names)}, {"fields", std::move(fields)}});
}

} // namespace clinic::egress
