#include "daemon/release/last_check.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "crypto/base/json.h"

namespace clinic::release {
namespace {

using envelope::WriteRules;

// The template's own words, in paths and bodies (facts/ghl-api §3.6).
constexpr std::array template_words{"contacts", "search", "tags", "locations", "locationId", "firstName", "source",
                                    "dnd", "page", "filters", "pageLimit", "field", "operator", "value", "eq", "id",
                                    "none", "true", "clinic-edge", "customFields", "field_value", "fieldValue",
                                    // of opportunities and bookings
                                    "opportunities", "calendars", "events", "appointments", "location_id", "contact_id",
                                    "pipeline_id", "contactId", "pipelineId", "pipelineStageId", "status", "name",
                                    "limit", "calendarId", "appointmentStatus", "startTime", "endTime", "title",
                                    "toNotify", "false", "ignoreFreeSlotValidation"};
constexpr int search_page_max = 20;

template <class Enum>
void add_names(std::set<std::string, std::less<>>& words, Enum last) {
    for (int i = 0; i <= static_cast<int>(last); ++i) words.insert(name(static_cast<Enum>(i)));
}

// Words that mean the same in every attempt.
const std::set<std::string, std::less<>>& constant_words() {
    static const auto words = [] {
        std::set<std::string, std::less<>> out{template_words.begin(), template_words.end()};
        add_names(out, envelope::Stage::archived);
        add_names(out, envelope::ApptStatus::rescheduled);
        add_names(out, envelope::Bucket::m6_plus);
        add_names(out, envelope::Case::abandoned);
        add_names(out, envelope::Booking::invalid);
        for (int page = 1; page <= search_page_max; ++page) out.insert(std::to_string(page));
        return out;
    }();
    return words;
}

class Explained {
public:
    Explained(const WriteRules& rules, const Allowed& allowed) : words_{allowed.ids.begin(), allowed.ids.end()} {
        const auto& fields = rules.fields;
        for (const auto& id :
             {fields.pid, fields.stage, fields.last, fields.next, fields.appt_status, fields.appt_when})
            words_.insert(id);
        words_.insert("customFields." + fields.pid);
        words_.insert(rules.location);
        words_.insert(rules.pipeline.id);
        words_.insert(rules.pipeline.stages.begin(), rules.pipeline.stages.end());
        words_.insert(rules.booking_calendar);
        for (const char* word : envelope::vocabulary) {
            words_.insert(envelope::tag_of(*envelope::Word::parse(word), rules.tag_prefix));
        }
    }

    bool has(std::string_view text) const {
        if (words_.contains(text) || constant_words().contains(text)) return true;
        const auto time = envelope::TimeBucket::parse(text);
        return time && time->is_year();
    }

private:
    std::set<std::string, std::less<>> words_;
};

// What nothing explains, in its order.
class Residue {
public:
    explicit Residue(const Explained& explained) : explained_{explained} {}

    void take(std::string_view text) {
        if (!text.empty() && !explained_.has(text)) values_.emplace_back(text);
    }

    // Segments, and of a query the names and values.
    void take_path(std::string_view path) {
        while (!path.empty()) {
            const std::size_t end = std::min(path.find_first_of("/?&="), path.size());
            take(path.substr(0, end));
            path.remove_prefix(std::min(end + 1, path.size()));
        }
    }

    void take_json(const nlohmann::json& value) {
        if (value.is_object()) {
            for (const auto& [key, inner] : value.items()) {
                take(key);
                take_json(inner);
            }
        } else if (value.is_array()) {
            for (const auto& inner : value) take_json(inner);
        } else {
            take(value.is_string() ? value.get_ref<const std::string&>() : base::dump_json(value));
        }
    }

    bool is_empty() const { return values_.empty(); }

    bool holds_identifier(const records::IdentifierIndex& identifiers) const {
        if (is_empty()) return false;
        std::string text;
        for (const std::string& value : values_) text += value + '\n';
        return identifiers.found_in(text, {values_.begin(), values_.end()});
    }

private:
    const Explained& explained_;
    std::vector<std::string> values_;
};

bool is_allowed(const Allowed& allowed, std::string_view id) {
    return std::ranges::find(allowed.ids, id) != allowed.ids.end();
}

// What stands behind that part of the path.
std::string_view id_behind(std::string_view path, std::string_view before) {
    const auto at = path.find(before);
    if (at == std::string_view::npos) return {};
    const auto id = path.substr(at + before.size());
    return id.substr(0, id.find_first_of("/&"));
}

// Who a body names, by those keys, are this lease's.
bool body_names_its_own(const envelope::Attempt& attempt, const Allowed& allowed,
                        std::initializer_list<const char*> keys) {
    const auto body = base::parse_json(attempt.body, envelope::attempt_body_bytes_max, 2);
    return body && std::ranges::all_of(keys, [&](const char* key) {
               const auto value = body->find(key);
               return value != body->end() && value->is_string() &&
                      is_allowed(allowed, value->get_ref<const std::string&>());
           });
}

// The contact, the opportunity or the booking is one that is recorded for this lease: no request reaches somebody
// else's.
bool names_its_own(const envelope::Attempt& attempt, const Allowed& allowed) {
    using envelope::Route;
    switch (attempt.route) {
    case Route::contact_fields:
    case Route::contact_read:
    case Route::booking_search:
    case Route::tags_add:
    case Route::tags_remove: return is_allowed(allowed, id_behind(attempt.path, "/contacts/"));
    case Route::case_read:
    case Route::case_update: return is_allowed(allowed, id_behind(attempt.path, "/opportunities/"));
    case Route::booking_read:
    case Route::booking_update: return is_allowed(allowed, id_behind(attempt.path, "/appointments/"));
    case Route::case_search:
        return is_allowed(allowed, id_behind(attempt.path, "&contact_id=")) ||
               is_allowed(allowed, id_behind(attempt.path, "&contactId="));
    case Route::case_create: return body_names_its_own(attempt, allowed, {"contactId", "name"});
    case Route::booking_create: return body_names_its_own(attempt, allowed, {"contactId", "title"});
    default: return true;
    }
}

} // namespace

Result<void> last_check(const records::IdentifierIndex& identifiers, const WriteRules& rules,
                        const envelope::Attempt& attempt, const Allowed& allowed) {
    CLINIC_TRY(envelope::check_request(rules, attempt.route, attempt.path, attempt.body));
    const Explained explained{rules, allowed};
    Residue residue{explained};
    residue.take_path(attempt.path);
    if (!attempt.body.empty()) {
        constexpr int depth_max = 4;
        const auto body = base::parse_json(attempt.body, envelope::attempt_body_bytes_max, depth_max);
        if (!body) return Error{Errc::refused, body.error().what};
        residue.take_json(*body);
    }
    if (!residue.is_empty() && !identifiers.is_loaded())
        return Error{Errc::timeout, "the identifiers of the store are still being read", "try again in a moment"};
    if (residue.holds_identifier(identifiers)) {
        return Error{Errc::conflict, "the attempt holds an identifier of the store",
                     "see the ledger and the dead letters"};
    }
    if (!names_its_own(attempt, allowed))
        return Error{Errc::refused, "the attempt names somebody who is not this lease's"};
    return {};
}

} // namespace clinic::release
