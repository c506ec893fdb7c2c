#include "daemon/sync_commands.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "daemon/asked.h"
#include "daemon/audit/trail.h"
#include "daemon/health/numbers.h"
#include "daemon/outbox/dead_letters.h"
#include "daemon/outbox/waiting.h"
#include "daemon/reason.h"
#include "daemon/web/words/words.h"

namespace clinic::daemon {
namespace {

using control::Answer;
using control::Question;
using nlohmann::json;
using outbox::DeadLetters;
using outbox::Outbox;

constexpr std::int64_t rows_shown = 20, rows_shown_max = 200;
constexpr int letters_a_transaction = 500;
constexpr int lines_shown_max = 50;
constexpr std::size_t envelope_depth_max = 3;

const char* next_step(outbox::DeadClass of) {
    return words::text(std::string{"dead."} + outbox::name(of) + ".next").c_str();
}

json letter_row(const outbox::DeadLetter& letter) {
    const auto of = outbox::class_of(letter.code);
    return {{"number", letter.row},
            {"class", outbox::name(of)},
            {"kind", envelope::name(letter.kind)},
            {"code", letter.code},
            {"attempts", letter.attempts},
            {"queued_at", base::rfc3339(letter.queued_at)},
            {"first_at", base::rfc3339(letter.first_at)},
            {"last_at", base::rfc3339(letter.died_at)},
            {"next", next_step(of)}};
}

Result<std::optional<outbox::DeadClass>> only(const json& args) {
    const std::string said = word(args, "class");
    const auto found = outbox::dead_class(said);
    if (!said.empty() && !found)
        return Error{Errc::malformed, "there is no such class of dead letters",
                     "refused, gone, duplicate, blocked, write_set, unreadable, object_gone or object_taken"};
    return found;
}

// Who looked, or did something about them, and about whom.
Result<void> note(records::Transaction& txn, const Question& question, audit::Action action, Literal what,
                  std::string text = {}, std::vector<records::PatientId> subjects = {}) {
    const auto entry = audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                                  .actor_id = question.asker,
                                                  .action = action,
                                                  .purpose = audit::Purpose::operations,
                                                  .detail = what,
                                                  .subjects = std::move(subjects),
                                                  .note = std::move(text)});
    return entry ? Result<void>{} : entry.error();
}

class SyncDesk {
public:
    SyncDesk(records::Store& store, health::Health& health) : store_{store}, health_{health} {}

    Result<Answer> status(const Question&) const {
        const auto now = health_.status_of_now();
        outbox::Waiting waits;
        CLINIC_TRY(store_.read([&](records::Snapshot& session) -> Result<void> {
            auto found = outbox::waiting(session, envelope::Destination::crm);
            CLINIC_TRY(found);
            waits = std::move(*found);
            return {};
        }));
        const auto said = base::parse_json(health::to_json(now), control_bytes_max, depth_max);
        CLINIC_TRY(said);
        json kinds = json::array();
        for (const auto& one : waits.kinds)
            kinds.push_back({{"kind", envelope::name(one.kind)},
                             {"envelopes", one.envelopes},
                             {"oldest_at", base::rfc3339(one.oldest)}});
        json dead = said->at("queue").at("crm").at("dead");
        for (json& one : dead) one["next"] = next_step(*outbox::dead_class(one.at("class").get<std::string>()));
        return say({{"at", said->at("at")},
                    {"ghl", {{"lane", said->at("lanes").at("crm")}, {"answer", said->at("answers").at("ghl")}}},
                    {"books", said->at("egress").at("crm")},
                    {"last_delivered_s", said->at("queue").at("crm").at("last_delivered_s")},
                    {"last_code", now.crm.last_code},
                    {"next_try_at", waits.next_try ? json(base::rfc3339(*waits.next_try)) : json{}},
                    {"waiting",
                     {{"kinds", std::move(kinds)},
                      {"ages",
                       {{"minute", waits.ages.minute},
                        {"hour", waits.ages.hour},
                        {"day", waits.ages.day},
                        {"older", waits.ages.older}}},
                      {"looked_at", waits.looked_at}}},
                    {"dead", std::move(dead)},
                    {"quarantine", now.quarantine_items}},
                   now.crm.dead > 0 || now.ghl.tone >= health::Tone::look ? 1 : 0);
    }

    Result<Answer> dead_list(const Question& question) const {
        const auto of = only(question.args);
        CLINIC_TRY(of);
        const auto limit = std::clamp<std::int64_t>(number(question.args, "limit", rows_shown), 1, rows_shown_max);
        json letters = json::array();
        CLINIC_TRY(store_.read([&](records::Snapshot& session) -> Result<void> {
            const auto found =
                DeadLetters::list(session, {*of, number(question.args, "before", 0)}, static_cast<int>(limit));
            CLINIC_TRY(found);
            for (const auto& letter : *found) letters.push_back(letter_row(letter));
            return {};
        }));
        return say(std::move(letters));
    }

    // What it would say, and each request that was asked for: one person's, so the look is in the audit chain.
    Result<Answer> dead_show(const Question& question) const {
        const std::int64_t row = number(question.args, "number", 0);
        json facts;
        CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
            const auto letter = DeadLetters::find(txn, row);
            CLINIC_TRY(letter);
            facts = letter_row(*letter);
            const auto lines = outbox::Ledger::lines_of(txn, row, lines_shown_max);
            CLINIC_TRY(lines);
            json requests = json::array();
            for (const auto& line : *lines)
                requests.push_back({{"attempt", line.attempt},
                                    {"at", base::rfc3339(line.at)},
                                    {"route", envelope::name(line.route)},
                                    {"result", line.result},
                                    {"status", line.status}});
            facts["requests"] = std::move(requests);
            facts["envelope"] = json{};
            const auto open = DeadLetters::open(txn, row);
            if (!open) return note(txn, question, audit::Action::read, "dead_show", std::to_string(row));
            const auto envelope = base::parse_json(open->envelope.encode(), envelope::envelope_bytes_max,
                                                   static_cast<int>(envelope_depth_max));
            CLINIC_TRY(envelope);
            facts["envelope"] = *envelope;
            return note(txn, question, audit::Action::read, "dead_show", std::to_string(row), {open->patient});
        }));
        return say(std::move(facts));
    }

    Result<Answer> dead_retry(const Question& question) const {
        return settle(question, "retried", [&](records::Transaction& txn, const std::vector<std::int64_t>& letters) {
            return retry(txn, question, letters);
        });
    }

    Result<Answer> dead_discard(const Question& question) const {
        const auto why = reason(question.args);
        CLINIC_TRY(why);
        return settle(question, "discarded", [&](records::Transaction& txn, const std::vector<std::int64_t>& letters) {
            return discard(txn, question, letters, *why);
        });
    }

private:
    static constexpr std::size_t control_bytes_max = 1'048'576;
    static constexpr int depth_max = 16;

    static Result<void> retry(records::Transaction& txn, const Question& question,
                              const std::vector<std::int64_t>& letters) {
        for (const std::int64_t letter : letters) CLINIC_TRY(Outbox::retry_dead(txn, letter));
        return note(txn, question, audit::Action::release, "dead_retry", std::to_string(letters.size()));
    }

    static Result<void> discard(records::Transaction& txn, const Question& question,
                                const std::vector<std::int64_t>& letters, const std::string& why) {
        std::vector<records::PatientId> patients;
        for (const std::int64_t letter : letters) {
            const auto patient = Outbox::discard_dead(txn, letter);
            CLINIC_TRY(patient);
            patients.push_back(*patient);
        }
        return note(txn, question, audit::Action::release, "dead_discarded", why, std::move(patients));
    }

    // The letters that a question is about: the one of its number, or in turns those of its class, or all; but none
    // that has died since it was asked.
    template <class Step>
    Result<Answer> settle(const Question& question, const char* done, const Step& step) const {
        const auto of = only(question.args);
        CLINIC_TRY(of);
        const std::int64_t one = number(question.args, "number", 0);
        if (one == 0 && !*of && !question.args.value("all", false))
            return Error{Errc::malformed, "which dead letters is not said",
                         "name one by its number, or --class, or --all"};
        std::optional<Timestamp> asked_at;
        std::size_t count = 0, part = 0;
        do {
            CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
                if (!asked_at) asked_at = txn.now();
                auto letters = one != 0 ? Result<std::vector<std::int64_t>>{std::vector{one}}
                                        : DeadLetters::numbers(txn, *of, *asked_at, letters_a_transaction);
                CLINIC_TRY(letters);
                part = letters->size();
                return part == 0 ? Result<void>{} : step(txn, *letters);
            }));
            count += part;
        } while (one == 0 && part == static_cast<std::size_t>(letters_a_transaction));
        return say({{done, count}});
    }

    records::Store& store_;
    health::Health& health_;
};

} // namespace

control::Commands sync_commands(records::Store& store, health::Health& health) {
    const auto desk = std::make_shared<const SyncDesk>(store, health);
    const auto ask = [desk](Result<Answer> (SyncDesk::*what)(const Question&) const) {
        return control::Command{.run = [desk, what](const Question& question) { return (*desk.*what)(question); }};
    };
    return {{"sync-status", ask(&SyncDesk::status)},
            {"sync-dead-list", ask(&SyncDesk::dead_list)},
            {"sync-dead-show", ask(&SyncDesk::dead_show)},
            {"sync-dead-retry", ask(&SyncDesk::dead_retry)},
            {"sync-dead-discard", ask(&SyncDesk::dead_discard)}};
}

} // namespace clinic::daemon
