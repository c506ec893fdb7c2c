#include "sync/envelope/rules_options.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "crypto/base/section.h"
#include "sync/envelope/names.h"

namespace clinic::envelope {
namespace {

constexpr std::size_t lists_max = 64;

bool distinct_ids(const WriteRules::Fields& fields) {
    std::vector<std::string> ids{fields.pid,  fields.stage,       fields.last,
                                 fields.next, fields.appt_status, fields.appt_when};
    std::sort(ids.begin(), ids.end());
    return std::adjacent_find(ids.begin(), ids.end()) == ids.end() &&
           std::all_of(ids.begin(), ids.end(), is_contact_id);
}

// Of a section whose keys are words of Stage: those that are there.
Result<void> by_stage(const nlohmann::json& object, Literal remedy,
                      const std::function<void(std::size_t, const std::string&)>& take) {
    base::Section in{object, {"lead", "new", "active", "recall_due", "lapsed", "inactive", "archived"}, remedy};
    const auto& words = Names<Stage>::table;
    for (std::size_t i = 0; i < words.size(); ++i)
        if (const auto text = in.text(words.at(i), false); !text.empty()) take(i, text);
    return in.outcome();
}

} // namespace

Result<WriteRules::Reads> read_reads(const nlohmann::json& object, Literal remedy) {
    base::Section in{object, {"calendars", "campaigns", "sources"}, remedy};
    WriteRules::Reads out{in.texts("calendars", lists_max, is_contact_id),
                          in.texts("campaigns", lists_max, is_campaign), in.texts("sources", lists_max, is_campaign)};
    CLINIC_TRY(in.outcome());
    return out;
}

Result<WriteRules::Pipeline> read_pipeline(const nlohmann::json& object, std::array<Case, 7>& outcomes,
                                           Literal remedy) {
    base::Section in{object, {"id", "stages", "outcomes"}, remedy};
    WriteRules::Pipeline out{.id = in.text("id", true), .stages = {}};
    CLINIC_TRY(in.outcome());
    in.require(is_contact_id(out.id), "pipeline.id: the id of a pipeline, as clinicctl ghl prepare shows it");
    if (const auto* stages = in.section("stages")) {
        CLINIC_TRY(by_stage(*stages, remedy, [&](std::size_t stage, const std::string& id) {
            in.require(is_contact_id(id), "pipeline.stages: ids of its stages, as clinicctl ghl prepare shows them");
            out.stages.at(stage) = id;
        }));
    }
    if (const auto* said = in.section("outcomes")) {
        CLINIC_TRY(by_stage(*said, remedy, [&](std::size_t stage, const std::string& word) {
            const auto outcome = value_of<Case>(word);
            in.require(outcome.has_value(), "pipeline.outcomes: open, won, lost or abandoned");
            outcomes.at(stage) = outcome.value_or(Case::open);
        }));
    }
    CLINIC_TRY(in.outcome());
    return out;
}

// One that is not read would never show what became of a booking there.
Result<void> read_bookings(const nlohmann::json& object, WriteRules& rules, Literal remedy) {
    base::Section in{object, {"calendar", "create"}, remedy};
    const std::string calendar = in.text("calendar", false);
    const bool create = in.flag("create", false);
    CLINIC_TRY(in.outcome());
    in.require(!create || !calendar.empty(), "bookings: create needs the id of a calendar");
    in.require(calendar.empty() || std::ranges::find(rules.reads.calendars, calendar) != rules.reads.calendars.end(),
               "bookings: calendar is not one of reads.calendars");
    CLINIC_TRY(in.outcome());
    rules.bookings = true;
    if (create) rules.booking_calendar = calendar;
    return {};
}

Result<WriteRules::Fields> read_field_ids(const nlohmann::json& object, Literal remedy) {
    base::Section in{object, {"pid", "stage", "last", "next", "appt_status", "appt_when"}, remedy};
    WriteRules::Fields out{in.text("pid", true),  in.text("stage", true),       in.text("last", true),
                           in.text("next", true), in.text("appt_status", true), in.text("appt_when", true)};
    CLINIC_TRY(in.outcome());
    in.require(distinct_ids(out), "fields: six different ids of custom fields");
    CLINIC_TRY(in.outcome());
    return out;
}

} // namespace clinic::envelope
