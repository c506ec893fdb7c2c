#include "sync/location_answer.h"

#include <algorithm>

namespace clinic::sync {
namespace {

using envelope::Part;

bool holds(const std::vector<Part>& parts, Part part) {
    return std::find(parts.begin(), parts.end(), part) != parts.end();
}

diagnose::FieldSaid field_said(const envelope::WriteRules& rules, const ghl::Inventory& there, Part part) {
    diagnose::FieldSaid said{.part = envelope::name(part), .name = envelope::field_name(part)};
    said.configured = rules.fields.of(part);
    const auto* field = ghl::ours(there, part);
    if (field == nullptr) {
        said.state = holds(there.failed_parts, part) ? "not_made" : "missing";
        return said;
    }
    said.id = field->id;
    said.type = field->type;
    const auto lack = ghl::lack_of(*field, part);
    said.state = lack ? envelope::name(*lack) : holds(there.created_parts, part) ? "made" : "there";
    return said;
}

// The one that cases are in; a stage that is not there is "options".
diagnose::FieldSaid pipeline_said(const envelope::WriteRules& rules, const ghl::Inventory& there) {
    const auto word = envelope::name(Part::pipeline);
    diagnose::FieldSaid said{.part = word, .name = word, .id = rules.pipeline.id, .type = "", .state = "there"};
    said.configured = rules.pipeline.id;
    for (const auto& fault : ghl::faults_of(rules, there))
        if (fault.part == Part::pipeline) said.state = envelope::name(fault.lack);
    return said;
}

template <class Said>
void cut(std::vector<Said>& all, std::size_t size_max, bool& more) {
    if (all.size() <= size_max) return;
    all.resize(size_max);
    more = true;
}

std::vector<diagnose::NamedSaid> named(const std::vector<ghl::Named>& all) {
    std::vector<diagnose::NamedSaid> out;
    out.reserve(all.size());
    for (const auto& one : all) out.push_back({one.id, one.name});
    return out;
}

} // namespace

diagnose::LocationSaid location_answer(const envelope::WriteRules& rules, const ghl::Inventory& there) {
    diagnose::LocationSaid said{.configured = true};
    for (const auto& [what, code] : there.unread) said.unread.emplace_back(what, code);
    if (!there.fields) return said;
    for (const Part part : envelope::field_parts) said.fields.push_back(field_said(rules, there, part));
    if (!rules.pipeline.id.empty() && there.pipelines) said.fields.push_back(pipeline_said(rules, there));
    for (const char* word : envelope::vocabulary) {
        auto tag = envelope::tag_of(*envelope::Word::parse(word), rules.tag_prefix);
        if (there.tags && std::find(there.tags->begin(), there.tags->end(), tag) != there.tags->end())
            said.tags.push_back(std::move(tag));
    }
    if (there.pipelines)
        for (const auto& one : *there.pipelines) said.pipelines.push_back({one.id, one.name, named(one.stages)});
    if (there.calendars) said.calendars = named(*there.calendars);
    cut(said.pipelines, diagnose::pipelines_max, said.more);
    for (auto& one : said.pipelines) cut(one.stages, diagnose::stages_max, said.more);
    cut(said.calendars, diagnose::calendars_max, said.more);
    return said;
}

} // namespace clinic::sync
