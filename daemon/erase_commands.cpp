#include "daemon/erase_commands.h"

#include <nlohmann/json.hpp>

#include "daemon/asked.h"
#include "daemon/audit/trail.h"
#include "daemon/reason.h"
#include "daemon/records/patients.h"
#include "daemon/whom.h"

namespace clinic::daemon {
namespace {

using control::Answer;
using control::Question;
using nlohmann::json;
using release::TakenBack;

constexpr Literal erase_word = "erase"; // typed by who has seen what goes

// Who goes: the one who is left of them all, and then those whose records were merged into theirs.
Result<std::vector<records::PatientId>> named(records::Session& session, const json& args) {
    const auto found = whom(session, args);
    CLINIC_TRY(found);
    if (!*found) return Error{Errc::malformed, "nobody is named", "name one by --patient or --pid"};
    std::vector<records::PatientId> all{**found};
    for (;;) {
        const auto known = records::patient_facts(session, all.front());
        CLINIC_TRY(known);
        if (!known->merged_into) break;
        all.front() = *known->merged_into;
    }
    const auto merged = records::merged_into(session, all.front());
    CLINIC_TRY(merged);
    all.insert(all.end(), merged->begin(), merged->end());
    return all;
}

Result<records::Disclosure> note(records::Transaction& txn, const Question& question, audit::Action action,
                                 Literal what, const std::string& why,
                                 const std::vector<records::PatientId>& subjects) {
    return audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                      .actor_id = question.asker,
                                      .action = action,
                                      .purpose = audit::Purpose::operations,
                                      .detail = what,
                                      .subjects = subjects,
                                      .note = why});
}

// What would go, in numbers: is it who was meant?
Result<Answer> look(records::Store& store, const Question& question) {
    const auto why = reason(question.args);
    CLINIC_TRY(why);
    json facts;
    CLINIC_TRY(store.write([&](records::Transaction& txn) -> Result<void> {
        const auto people = named(txn, question.args);
        CLINIC_TRY(people);
        CLINIC_TRY(note(txn, question, audit::Action::read, "erase_look", *why, *people));
        const auto known = records::patient_facts(txn, people->front());
        CLINIC_TRY(known);
        facts = {{"since", base::rfc3339(known->created_at)},
                 {"visits", known->visits},
                 {"appointments", known->appointments.size()},
                 {"merged", people->size() - 1},
                 {"last_visit", known->last_visit ? json(base::rfc3339(*known->last_visit)) : json{}}};
        return {};
    }));
    return say(std::move(facts));
}

// Asked again (`again`) until GHL is empty of them: the entry of its beginning is written once.
Result<void> begin_or_end(records::Transaction& txn, release::Releaser& releaser, const Question& question,
                          const std::string& why, json& answer) {
    const auto people = named(txn, question.args);
    CLINIC_TRY(people);
    const auto taken = releaser.take_back(txn, people->front());
    CLINIC_TRY(taken);
    const bool leaves_it = question.args.value("leave_in_ghl", false);
    if (*taken == TakenBack::not_allowed && !leaves_it)
        return Error{Errc::refused, "this legal basis sends nothing, so what GHL holds of them would stay there",
                     "delete it in GHL by hand, then add --leave-in-ghl; or set the basis that takes it back"};
    if (*taken == TakenBack::waits) {
        answer = {{"state", "waits"}};
        if (question.args.value("again", false)) return {};
        CLINIC_TRY(note(txn, question, audit::Action::erase, "erase_begin", why, *people));
        return {};
    }
    answer = {{"state", "erased"}, {"left_in_ghl", *taken == TakenBack::not_allowed}};
    const auto entry =
        note(txn, question, audit::Action::erase,
             *taken == TakenBack::not_allowed ? Literal{"erase_left_in_ghl"} : Literal{"erase"}, why, *people);
    CLINIC_TRY(entry);
    return release::Releaser::erase(txn, *entry, people->front());
}

Result<Answer> erase(records::Store& store, release::Releaser& releaser, const Question& question) {
    const auto why = reason(question.args);
    CLINIC_TRY(why);
    if (word(question.args, "word") != erase_word.c_str())
        return Error{Errc::refused, "nobody was erased: the word was not typed", "it is: erase"};
    json answer;
    CLINIC_TRY(
        store.write([&](records::Transaction& txn) { return begin_or_end(txn, releaser, question, *why, answer); }));
    return say(answer, answer.at("state") == "waits" ? 1 : 0);
}

} // namespace

control::Commands erase_commands(records::Store& store, release::Releaser& releaser) {
    return {
        {"erase-look", {.run = [&store](const Question& question) { return look(store, question); }}},
        {"erase", {.run = [&store, &releaser](const Question& question) { return erase(store, releaser, question); }}}};
}

} // namespace clinic::daemon
