#include "provisioning/ghl_prepare.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "provisioning/answers.h"

namespace clinic::provisioning {
namespace {

using diagnose::FieldSaid;
using diagnose::LocationSaid;
using nlohmann::json;

constexpr const char* usual_socket = "/run/clinic-edge/sync/ask.sock";
constexpr const char* usual_etc = "/etc/clinic-edge";
constexpr int patience_s = 120; // some requests, each with its time

int refuse(const std::string& what, const std::string& next) {
    std::fprintf(stderr, "clinicctl: ghl: %s; %s\n", what.c_str(), next.c_str());
    return failed;
}

int refuse(const Error& why) {
    return refuse(why.what.c_str(),
                  *why.remedy.c_str() != '\0' ? why.remedy.c_str() : "look at: systemctl status clinic-syncd");
}

bool is_state(const FieldSaid& field, std::initializer_list<const char*> states) {
    return std::any_of(states.begin(), states.end(), [&](const char* one) { return field.state == one; });
}

std::string joined(const std::vector<std::string>& all) {
    std::string text;
    for (const auto& one : all) text += (text.empty() ? "" : ", ") + one;
    return text.empty() ? "none" : text;
}

template <class Named>
std::string names(const std::vector<Named>& all) {
    std::vector<std::string> texts;
    texts.reserve(all.size());
    for (const auto& one : all) texts.push_back(one.name);
    return joined(texts);
}

json to_json(const LocationSaid& said) {
    json fields = json::array(), pipelines = json::array(), calendars = json::array(), unread = json::array();
    for (const auto& one : said.fields)
        fields.push_back({{"name", one.name},
                          {"state", one.state},
                          {"type", one.type},
                          {"id", one.id},
                          {"configured", one.configured}});
    for (const auto& one : said.pipelines) {
        json stages = json::array();
        for (const auto& stage : one.stages) stages.push_back({{"id", stage.id}, {"name", stage.name}});
        pipelines.push_back({{"id", one.id}, {"name", one.name}, {"stages", stages}});
    }
    for (const auto& one : said.calendars) calendars.push_back(one.name);
    for (const auto& [what, code] : said.unread) unread.push_back({{"what", what}, {"code", code}});
    return {{"fields", fields},       {"tags", said.tags}, {"pipelines", pipelines},
            {"calendars", calendars}, {"unread", unread},  {"more", said.more}};
}

// Cases of patients are in it; it is made by a person alone.
bool is_pipeline(const FieldSaid& field) {
    return field.part == envelope::name(envelope::Part::pipeline);
}

std::string pipeline_line(const FieldSaid& field) {
    std::string line = "  ghl.pipeline";
    line.resize(20, ' ');
    if (is_state(field, {"missing"}))
        return line + "is not there; put the id of one below into both settings files, or take ghl.pipeline out\n";
    if (is_state(field, {"options"}))
        return line + "lacks a stage that ghl.pipeline.stages names; put the id of one below in its place\n";
    return line + "there\n";
}

std::string field_line(const FieldSaid& field) {
    if (is_pipeline(field)) return pipeline_line(field);
    std::string line = "  " + field.name;
    line.resize(20, ' ');
    if (is_state(field, {"missing"})) return line + "is not there; --apply makes it\n";
    if (is_state(field, {"not_made"})) return line + "is not there, and GHL did not make it\n";
    line += is_state(field, {"made"}) ? "made" : "there";
    line += " (" + field.type + ")";
    if (is_state(field, {"retyped"})) line += ", of a type that does not take our words";
    if (is_state(field, {"options"})) line += ", but its list lacks words that we write";
    if (!field.configured.empty() && field.configured != field.id) line += "; the settings name another";
    return line + "\n";
}

std::string view(const LocationSaid& said) {
    std::string text = "The location in GHL has, of what this box needs:\n";
    for (const auto& field : said.fields) text += field_line(field);
    text += wrapped("  Our tags: " + joined(said.tags) + " (one that is not there is made when it is first used)", 12);
    for (const auto& one : said.pipelines) {
        text += wrapped("  Pipeline " + one.name + ", " + one.id + ", with the stages", 12);
        for (const auto& stage : one.stages) text += "    " + stage.id + " " + stage.name + "\n";
    }
    text += wrapped("  Calendars: " + names(said.calendars), 12);
    if (said.more) text += "  There are more pipelines, stages or calendars than are shown.\n";
    for (const auto& [what, code] : said.unread)
        text +=
            wrapped("  Not read: " + what + " (" + code + "); clinicctl ghl show names a scope that is missing", 12);
    return text;
}

bool is_configured(const LocationSaid& said) {
    return std::all_of(said.fields.begin(), said.fields.end(),
                       [](const FieldSaid& field) { return !field.id.empty() && field.configured == field.id; });
}

// What there is to be done, where nothing was.
std::string proposal(const LocationSaid& said) {
    const auto missing = std::count_if(said.fields.begin(), said.fields.end(), [](const FieldSaid& field) {
        return is_state(field, {"missing"}) && !is_pipeline(field);
    });
    if (missing == 0 && is_configured(said) && troubles_of(said).empty())
        return "All is as it must be: nothing is to be done.\n";
    if (missing == 0 && is_configured(said)) return "Nothing was changed. What is not as it must be is for a person.\n";
    std::string text = "Nothing was changed. clinicctl ghl prepare --apply ";
    if (missing > 0) text += "makes " + std::to_string(missing) + (missing == 1 ? " field" : " fields") + ", and ";
    return wrapped(text + "writes the ids of the six fields into clinicd.json and clinic-syncd.json.", 0);
}

int say_read(const Call& call, const LocationSaid& said) {
    if (call.has("--json"))
        print_json(to_json(said));
    else
        std::fputs((view(said) + proposal(said)).c_str(), stdout);
    const bool well = is_configured(said) && troubles_of(said).empty() && said.unread.empty();
    return well ? 0 : 1;
}

} // namespace

std::optional<json> ids_of(const LocationSaid& said) {
    json ids = json::object();
    for (const auto& field : said.fields)
        if (!is_pipeline(field) && !field.id.empty() && is_state(field, {"there", "made"})) ids[field.part] = field.id;
    if (ids.size() != envelope::field_parts.size()) return std::nullopt;
    return ids;
}

json calendars_of(const LocationSaid& said) {
    json ids = json::array();
    for (const auto& one : said.calendars) ids.push_back(one.id);
    return ids;
}

std::string troubles_of(const LocationSaid& said) {
    std::string text;
    for (const auto& field : said.fields)
        if (is_state(field, {"not_made", "retyped", "options"}) || (is_pipeline(field) && is_state(field, {"missing"})))
            text += field_line(field);
    return text;
}

int prepare_ghl(const Call& call, const Client&) {
    const auto socket = call.has("--ask") ? call.value("--ask") : usual_socket;
    const bool apply = call.has("--apply");
    const auto said = diagnose::ask_location(socket, apply, patience_s);
    if (!said) return refuse(said.error());
    if (!said->configured) return refuse("GHL is not configured", "see ghl in clinic-syncd.json");
    if (said->fields.empty())
        return refuse("the location's custom fields cannot be read (" +
                          (said->unread.empty() ? std::string{"unknown"} : said->unread.front().second) + ")",
                      "clinicctl check names what stands in the way");
    if (!apply) return say_read(call, *said);
    std::fputs(view(*said).c_str(), stdout);
    const auto ids = ids_of(*said);
    if (!ids)
        return refuse("a field is not as it must be, so no setting was changed",
                      "rename or delete that field in GHL, then: clinicctl ghl prepare --apply");
    const setup::BoxFiles files{call.has("--etc") ? call.value("--etc") : usual_etc};
    const auto changed = files.write_location(*ids, calendars_of(*said));
    if (!changed) return refuse(changed.error());
    std::fputs(*changed ? "The ids are written into both settings files. They count from the next start:\n"
                          "  systemctl restart clinicd clinic-syncd\n"
                        : "Both settings files have these ids already.\n",
               stdout);
    return 0;
}

} // namespace clinic::provisioning
