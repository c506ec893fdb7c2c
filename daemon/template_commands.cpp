#include "daemon/template_commands.h"

#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "daemon/asked.h"
#include "daemon/audit/trail.h"
#include "daemon/retention.h"
#include "sync/envelope/names.h"

namespace clinic::daemon {
namespace {

using control::Answer;
using control::Question;
using nlohmann::json;

constexpr Literal key = "template";
constexpr std::size_t text_bytes_max = 120, stored_bytes_max = 4'096;

constexpr Error wrong{Errc::malformed, "this is no template", "choose one in the setup: clinicctl setup --again terms"};

json part(const json& args, const char* name) {
    const auto found = args.find(name);
    return found != args.end() && found->is_object() ? *found : json::object();
}

bool is_title(const json& object, const char* name) {
    const std::string text = word(object, name);
    return !text.empty() && text.size() <= text_bytes_max;
}

// Each word that may be a tag, and no other, with what it means.
Result<json> vocabulary_of(const json& args) {
    const json said = part(args, "vocabulary");
    if (said.size() != envelope::vocabulary.size()) return wrong;
    for (const char* tag : envelope::vocabulary)
        if (!is_title(said, tag)) return wrong;
    return said;
}

Result<Answer> take(records::Store& store, const Question& question) {
    if (!is_title(question.args, "id") || !is_title(question.args, "title")) return wrong;
    const auto vocabulary = vocabulary_of(question.args);
    CLINIC_TRY(vocabulary);
    const json kept = part(question.args, "retention");
    const auto days = [&](const char* name) { return static_cast<int>(number(kept, name, 0)); };
    const Retention retention{.quarantine_days = days("quarantine_days"),
                              .dead_letter_days = days("dead_letter_days"),
                              .ledger_years = days("ledger_years")};
    CLINIC_TRY(store.write([&](records::Transaction& txn) -> Result<void> {
        CLINIC_TRY(set_retention(txn, retention));
        CLINIC_TRY(records::set_setting(txn, key,
                                        base::dump_json({{"id", word(question.args, "id")},
                                                         {"title", word(question.args, "title")},
                                                         {"vocabulary", *vocabulary}})));
        const auto entry = audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                                      .actor_id = question.asker,
                                                      .action = audit::Action::configure,
                                                      .purpose = audit::Purpose::operations,
                                                      .detail = "template"});
        return entry ? Result<void>{} : entry.error();
    }));
    return say(json::object());
}

Result<Answer> show(records::Store& store) {
    json said{{"id", nullptr}, {"title", nullptr}, {"vocabulary", json::object()}};
    CLINIC_TRY(store.read([&](records::Snapshot& session) -> Result<void> {
        const auto stored = records::setting(session, key);
        CLINIC_TRY(stored);
        if (*stored) {
            auto read = base::parse_json(**stored, stored_bytes_max, 3);
            CLINIC_TRY(read);
            said = std::move(*read);
        }
        const auto kept = retention(session);
        CLINIC_TRY(kept);
        said["retention"] = as_written(*kept);
        return {};
    }));
    return say(std::move(said));
}

} // namespace

control::Commands template_commands(records::Store& store) {
    return {{"template-take", {.run = [&store](const Question& question) { return take(store, question); }}},
            {"template-show", {.run = [&store](const Question&) { return show(store); }}}};
}

} // namespace clinic::daemon
