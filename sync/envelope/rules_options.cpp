#include "sync/envelope/rules_options.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "crypto/base/section.h"

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

} // namespace

Result<WriteRules::Reads> read_reads(const nlohmann::json& object, Literal remedy) {
    base::Section in{object, {"calendars", "campaigns", "sources"}, remedy};
    WriteRules::Reads out{in.texts("calendars", lists_max, is_contact_id),
                          in.texts("campaigns", lists_max, is_campaign), in.texts("sources", lists_max, is_campaign)};
    CLINIC_TRY(in.outcome());
    return out;
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
