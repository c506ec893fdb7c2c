#include "sync/diagnose/said/location_said.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "sync/diagnose/said/said.h"

namespace clinic::diagnose {
namespace {

using nlohmann::json;

constexpr std::string_view look_question = R"({"v":1,"ask":"location"})", make_question = R"({"v":1,"ask":"prepare"})";
constexpr std::array states{"there", "made", "missing", "not_made", "retyped", "options"};
constexpr std::array readable{"fields", "tags", "pipelines", "calendars"};

json to_json(const NamedSaid& one) {
    return {{"id", one.id}, {"name", plain(one.name)}};
}

json to_json(const PipelineSaid& one) {
    json stages = json::array();
    for (const auto& stage : one.stages) stages.push_back(to_json(stage));
    return {{"id", one.id}, {"name", plain(one.name)}, {"stages", stages}};
}

json to_json(const FieldSaid& one) {
    return {{"part", one.part},        {"name", one.name},   {"id", one.id},
            {"type", plain(one.type)}, {"state", one.state}, {"configured", one.configured}};
}

// Reads a closed object, list by list; `good` falls at the first thing that is not so.
struct Reader {
    bool good = true;

    std::string text(const json& object, const char* key) {
        const auto found = object.is_object() ? object.find(key) : object.end();
        if (!object.is_object() || found == object.end() || !found->is_string()) return good = false, std::string{};
        auto text = found->get<std::string>();
        good = good && plain(text) == text;
        return text;
    }
    bool flag(const json& object, const char* key) {
        const auto found = object.find(key);
        if (found == object.end() || !found->is_boolean()) return good = false;
        return found->get<bool>();
    }
    template <class Each>
    void list(const json& object, const char* key, std::size_t items_max, Each each) {
        const auto found = object.is_object() ? object.find(key) : object.end();
        if (!object.is_object() || found == object.end() || !found->is_array() || found->size() > items_max) {
            good = false;
            return;
        }
        for (const json& one : *found) each(one);
    }
    void size(const json& object, std::size_t keys) { good = good && object.is_object() && object.size() == keys; }
    NamedSaid named(const json& one) {
        size(one, 2);
        return {text(one, "id"), text(one, "name")};
    }
    template <std::size_t N>
    void one_of(const std::string& word, const std::array<const char*, N>& words) {
        good = good && std::find(words.begin(), words.end(), word) != words.end();
    }
};

FieldSaid field_of(Reader& in, const json& one) {
    in.size(one, 6);
    FieldSaid field{in.text(one, "part"), in.text(one, "name"),  in.text(one, "id"),
                    in.text(one, "type"), in.text(one, "state"), in.text(one, "configured")};
    in.one_of(field.state, states);
    return field;
}

PipelineSaid pipeline_of(Reader& in, const json& one) {
    in.size(one, 3);
    PipelineSaid pipeline{in.text(one, "id"), in.text(one, "name"), {}};
    in.list(one, "stages", stages_max, [&](const json& stage) { pipeline.stages.push_back(in.named(stage)); });
    return pipeline;
}

} // namespace

std::string write_location_question(bool make) {
    return std::string{make ? make_question : look_question};
}

std::optional<bool> read_location_question(std::string_view text) {
    if (text == look_question) return false;
    if (text == make_question) return true;
    return std::nullopt;
}

std::string write_location(const LocationSaid& said) {
    json fields = json::array(), tags = json::array(), pipelines = json::array(), calendars = json::array(),
         unread = json::array();
    for (const auto& one : said.fields) fields.push_back(to_json(one));
    for (const auto& one : said.tags) tags.push_back(plain(one));
    for (const auto& one : said.pipelines) pipelines.push_back(to_json(one));
    for (const auto& one : said.calendars) calendars.push_back(to_json(one));
    for (const auto& [what, code] : said.unread) unread.push_back({{"what", what}, {"code", code}});
    return base::dump_json({{"v", 1},
                            {"configured", said.configured},
                            {"more", said.more},
                            {"fields", fields},
                            {"tags", tags},
                            {"pipelines", pipelines},
                            {"calendars", calendars},
                            {"unread", unread}});
}

Result<LocationSaid> read_location(std::string_view text) {
    constexpr Error other{Errc::malformed, "clinic-syncd's answer is not understood",
                          "use the clinicctl of the same package"};
    const auto parsed = base::parse_json(text, location_bytes_max, 5);
    if (!parsed || !parsed->is_object() || parsed->size() != 8 || parsed->value("v", json{}) != 1) return other;
    Reader in;
    LocationSaid said;
    said.configured = in.flag(*parsed, "configured");
    said.more = in.flag(*parsed, "more");
    in.list(*parsed, "fields", fields_said_max, [&](const json& one) { said.fields.push_back(field_of(in, one)); });
    in.list(*parsed, "tags", tags_max, [&](const json& one) {
        in.good = in.good && one.is_string();
        if (in.good) said.tags.push_back(one.get<std::string>());
    });
    in.list(*parsed, "pipelines", pipelines_max,
            [&](const json& one) { said.pipelines.push_back(pipeline_of(in, one)); });
    in.list(*parsed, "calendars", calendars_max, [&](const json& one) { said.calendars.push_back(in.named(one)); });
    in.list(*parsed, "unread", readable.size(), [&](const json& one) {
        in.size(one, 2);
        said.unread.emplace_back(in.text(one, "what"), in.text(one, "code"));
        in.one_of(said.unread.back().first, readable);
    });
    if (!in.good) return other;
    return said;
}

Result<LocationSaid> ask_location(const std::string& socket, bool make, int seconds_max) {
    const auto answer = put(socket, write_location_question(make), seconds_max, location_bytes_max);
    CLINIC_TRY(answer);
    return read_location(*answer);
}

} // namespace clinic::diagnose
