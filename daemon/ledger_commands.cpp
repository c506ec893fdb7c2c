#include "daemon/ledger_commands.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "daemon/asked.h"
#include "daemon/audit/trail.h"
#include "daemon/intake/hl7_time.h"
#include "daemon/outbox/outbox.h"
#include "daemon/records/patients.h"
#include "daemon/release/preview.h"
#include "daemon/whom.h"

namespace clinic::daemon {
namespace {

using control::Answer;
using control::Question;
using nlohmann::json;
using outbox::Ledger;
using outbox::Links;

constexpr std::int64_t lines_shown = 20, lines_shown_max = 500;
constexpr std::size_t said_bytes_max = 16'384;
constexpr int said_depth_max = 8;
constexpr std::int64_t days_shown = 30, days_shown_max = 366;
constexpr int people_a_snapshot = 200, snapshots_a_turn = 10;
constexpr std::int64_t micros_a_day = 86'400'000'000;

Result<void> note(records::Transaction& txn, const Question& question, Literal what,
                  std::vector<records::PatientId> subjects = {}) {
    const auto entry = audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                                  .actor_id = question.asker,
                                                  .action = audit::Action::read,
                                                  .purpose = audit::Purpose::security,
                                                  .detail = what,
                                                  .subjects = std::move(subjects)});
    return entry ? Result<void>{} : entry.error();
}

// The local day: from its first moment to that of the next, which a change of the clocks may bring sooner or later.
Result<std::pair<Timestamp, Timestamp>> day_of(const std::string& text) {
    const auto began = intake::read_time(text);
    if (!began || !*began || (*began)->precision != intake::Precision::day)
        return Error{Errc::malformed, "--day is no date", "write it as YYYY-MM-DD"};
    constexpr base::Micros longer_than_a_day = std::chrono::hours{36};
    const auto after = intake::read_time(intake::hl7_time((*began)->at + longer_than_a_day).substr(0, 8));
    if (!after || !*after) return Error{Errc::malformed, "--day is no date", "write it as YYYY-MM-DD"};
    return std::pair{(*began)->at, (*after)->at};
}

template <class Enum>
Result<std::optional<Enum>> one_of(const json& args, const char* key, std::initializer_list<Enum> all, Literal wrong,
                                   Literal remedy) {
    const std::string said = word(args, key);
    if (said.empty()) return std::optional<Enum>{};
    for (const Enum one : all)
        if (said == envelope::name(one)) return std::optional{one};
    return Error{Errc::malformed, wrong, remedy};
}

Result<outbox::LedgerSearch> search_of(const json& args) {
    using envelope::Kind;
    outbox::LedgerSearch search{.after = number(args, "after", 0)};
    if (const std::string day = word(args, "day"); !day.empty()) {
        const auto span = day_of(day);
        CLINIC_TRY(span);
        search.from = span->first;
        search.until = span->second;
    }
    const auto kind =
        one_of(args, "kind",
               {Kind::contact_state, Kind::appt_state, Kind::consent_state, Kind::contact_suppress, Kind::contact_merge,
                Kind::case_state, Kind::booking_state},
               "there is no such kind of envelope", "docs/envelope.md has them: contact.state, appt.state");
    CLINIC_TRY(kind);
    search.kind = *kind;
    const auto destination = one_of(args, "destination", {envelope::Destination::crm, envelope::Destination::ops},
                                    "there is no such destination", "crm or ops");
    CLINIC_TRY(destination);
    search.destination = *destination;
    return search;
}

json row_of(const outbox::LedgerLine& line) {
    const auto said = base::parse_json(line.said, said_bytes_max, said_depth_max);
    return {{"attempt", line.attempt},
            {"lease", line.lease},
            {"at", base::rfc3339(line.at)},
            {"destination", envelope::name(line.destination)},
            {"kind", line.kind ? json(envelope::name(*line.kind)) : json{}},
            {"also", line.also != 0 ? json(line.also) : json{}},
            {"route", envelope::name(line.route)},
            {"path", said ? said->value("path", json{}) : json{}},
            {"fields", said ? said->value("fields", json{}) : json{}},
            {"requests", said ? said->value("requests", 1) : 1},
            {"last_at", said ? said->value("last_at", json{}) : json{}},
            {"ended", said ? said->value("ended", json{}) : json{}},
            {"digest", line.digest},
            {"result", line.result},
            {"status", line.status}};
}

// By what GHL knows somebody of whom something left.
Result<void> name_them(records::Transaction& txn, records::PatientId subject, json& answer) {
    const auto pid = Links::pid(txn, envelope::Destination::crm, subject);
    CLINIC_TRY(pid);
    const auto contact = Links::contact(txn, subject);
    CLINIC_TRY(contact);
    answer["pid"] = pid->text();
    if (!contact->empty()) answer["contact"] = *contact;
    return {};
}

Result<Answer> list(records::Store& store, const Question& question) {
    auto search = search_of(question.args);
    CLINIC_TRY(search);
    const auto limit = std::clamp<std::int64_t>(number(question.args, "limit", lines_shown), 1, lines_shown_max);
    json answer{{"lines", json::array()}, {"next", nullptr}, {"pid", nullptr}, {"contact", nullptr}};
    CLINIC_TRY(store.write([&](records::Transaction& txn) -> Result<void> {
        const auto subject = whom(txn, question.args);
        CLINIC_TRY(subject);
        search->subject = *subject;
        std::vector<records::PatientId> about;
        if (*subject) about.push_back(**subject);
        CLINIC_TRY(note(txn, question, *subject ? Literal{"ledger_of_one"} : "ledger", std::move(about)));
        const auto page = Ledger::page(txn, *search, static_cast<int>(limit));
        CLINIC_TRY(page);
        for (const auto& line : page->lines) answer["lines"].push_back(row_of(line));
        if (page->next) answer["next"] = *page->next;
        return *subject && !page->lines.empty() ? name_them(txn, **subject, answer) : Result<void>{};
    }));
    return say(std::move(answer));
}

Result<void> change_policy(release::Policy& policy, const json& args) {
    if (const std::string mode = word(args, "basis"); !mode.empty()) {
        const auto basis = release::basis(mode);
        if (!basis) return Error{Errc::malformed, "no such basis", "off, deid, authorized, baa or consumer_consent"};
        policy.basis = *basis;
        policy.basis_expires.reset();
    }
    if (const std::string mode = word(args, "unlinked"); !mode.empty()) {
        if (mode != "park" && mode != "shell") return Error{Errc::malformed, "unlinked is park or shell"};
        policy.unlinked = mode == "shell" ? release::Unlinked::shell : release::Unlinked::park;
    }
    return {};
}

// What "ghl.pipeline", "ghl.bookings" and "ghl.booking_calendar" would come to.
Result<release::Settings> changed_settings(release::Settings settings, const json& args) {
    CLINIC_TRY(change_policy(settings.policy, args));
    if (const std::string mode = word(args, "pipeline"); !mode.empty()) {
        if (mode != "on" && mode != "off") return Error{Errc::malformed, "pipeline is on or off"};
        settings.cases.told = mode == "on";
    }
    if (const std::string mode = word(args, "bookings"); !mode.empty()) {
        if (mode != "off" && mode != "states" && mode != "times")
            return Error{Errc::malformed, "bookings is off, states or times"};
        settings.bookings = {.told = mode != "off", .create = mode == "times"};
    }
    return settings;
}

json counted(const release::Counted& all) {
    return {{"leaves", all.leaves}, {"fields", all.fields}, {"stays", all.stays}};
}

Result<release::Question> question_of(records::Store& store, const release::Releaser& releaser, const json& args,
                                      std::int64_t days) {
    release::Question asked;
    CLINIC_TRY(store.read([&](records::Snapshot& session) -> Result<void> {
        const auto now = releaser.settings(session);
        CLINIC_TRY(now);
        const auto then = changed_settings(*now, args);
        CLINIC_TRY(then);
        asked = {*now, *then, session.now() - base::Micros{days * micros_a_day}};
        return {};
    }));
    return asked;
}

// One turn: so many people as can be judged while others wait; `next` is where to go on.
Result<Answer> preview(records::Store& store, release::Releaser& releaser, const Question& question) {
    const auto days = std::clamp<std::int64_t>(number(question.args, "days", days_shown), 1, days_shown_max);
    const auto asked = question_of(store, releaser, question.args, days);
    CLINIC_TRY(asked);
    release::Preview made;
    if (const auto after = base::Uuid::parse(word(question.args, "after"))) made.next = records::PatientId{*after};
    if (!made.next)
        CLINIC_TRY(store.write([&](records::Transaction& txn) { return note(txn, question, "policy_preview"); }));
    for (int turn = 0; turn == 0 || (turn < snapshots_a_turn && made.next); ++turn)
        CLINIC_TRY(release::preview(store, releaser, *asked, people_a_snapshot, made));
    return say({{"days", days},
                {"patients", made.patients},
                {"now", counted(made.now)},
                {"then", counted(made.then)},
                {"next", made.next ? json(made.next->uuid.text()) : json{}}});
}

} // namespace

control::Commands ledger_commands(records::Store& store, release::Releaser& releaser) {
    return {{"ledger", {.run = [&store](const Question& question) { return list(store, question); }}},
            {"policy-preview",
             {.run = [&store, &releaser](const Question& question) { return preview(store, releaser, question); }}}};
}

} // namespace clinic::daemon
