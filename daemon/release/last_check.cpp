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
constexpr std::array template_words{
    "contacts", "search",  "tags",        "locations",    "locationId",  "firstName", "source", "dnd",
    "page",     "filters", "pageLimit",   "field",        "operator",    "value",     "eq",     "id",
    "none",     "true",    "clinic-edge", "customFields", "field_value", "fieldValue"};
constexpr int search_page_max = 10;

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

    void take_path(std::string_view path) {
        while (!path.empty()) {
            const std::size_t end = std::min(path.find('/'), path.size());
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

// The contact in the path is one that is recorded for this lease: no request reaches somebody else's.
bool names_its_own_contact(const envelope::Attempt& attempt, const Allowed& allowed) {
    using envelope::Route;
    const bool by_contact = attempt.route == Route::contact_fields || attempt.route == Route::contact_read ||
                            attempt.route == Route::tags_add || attempt.route == Route::tags_remove;
    if (!by_contact) return true;
    constexpr std::string_view before = "/contacts/";
    const std::string_view path{attempt.path};
    const std::string_view id = path.substr(before.size(), path.find('/', before.size()) - before.size());
    return std::ranges::find(allowed.ids, id) != allowed.ids.end();
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
    if (!names_its_own_contact(attempt, allowed))
        return Error{Errc::refused, "the attempt names a contact that is not this lease's"};
    return {};
}

} // namespace clinic::release
