#include "daemon/commands.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "crypto/base/days.h"
#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "crypto/seal.h"
#include "daemon/asked.h"
#include "daemon/audit/trail.h"
#include "daemon/audit_commands.h"
#include "daemon/bundle_commands.h"
#include "daemon/compare_commands.h"
#include "daemon/control/wire/wire.h"
#include "daemon/erase_commands.h"
#include "daemon/feed_commands.h"
#include "daemon/intake/csv_import.h"
#include "daemon/intake/hl7_time.h"
#include "daemon/ledger_commands.h"
#include "daemon/link_commands.h"
#include "daemon/message_commands.h"
#include "daemon/outbox/outbox.h"
#include "daemon/setup_commands.h"
#include "daemon/statement_commands.h"
#include "daemon/sync_commands.h"
#include "daemon/template_commands.h"

namespace clinic::daemon {
namespace {

using control::Answer;
using control::Command;
using control::Commands;
using control::Question;
using nlohmann::json;

constexpr Literal agreement_setting = "agreement";

Result<Timestamp> end_of_day(const std::string& date) {
    constexpr Error no_date{Errc::malformed, "--expires is not a date", "write it as YYYY-MM-DD"};
    int year = 0;
    unsigned month = 0, day = 0;
    int length = 0;
    const bool written = date.size() == 10 && date.find_first_not_of("0123456789-") == std::string::npos &&
                         std::count(date.begin(), date.end(), '-') == 2 &&
                         std::sscanf(date.c_str(), "%4d-%2u-%2u%n", &year, &month, &day, &length) == 3 && length == 10;
    const std::chrono::year_month_day named{std::chrono::year{year}, std::chrono::month{month}, std::chrono::day{day}};
    if (!written || !named.ok()) return no_date; // 30 February would be March, and the agreement longer
    return intake::end_of_day(date.substr(0, 4) + date.substr(5, 2) + date.substr(8));
}

json basis_facts(const release::Policy& policy, Timestamp now) {
    json facts{{"mode", release::name(policy.basis)},
               {"in_effect", release::name(policy.effective(now))},
               {"unlinked", policy.unlinked == release::Unlinked::shell ? "shell" : "park"},
               {"evidence", policy.evidence_digest}};
    if (!policy.basis_expires) return facts;
    facts["expires"] = base::rfc3339(*policy.basis_expires);
    facts["last_day"] = base::local_day(*policy.basis_expires - std::chrono::seconds{1});
    return facts;
}

// The agreement stays on file when another basis is set, so that going back needs no paper again.
Result<void> use_agreement(records::Transaction& txn, release::Policy& policy) {
    if (!policy.evidence_digest.empty() && policy.basis_expires) {
        return records::set_setting(
            txn, agreement_setting,
            base::dump_json({{"digest", policy.evidence_digest}, {"expires", policy.basis_expires->micros}}));
    }
    const auto filed = records::setting(txn, agreement_setting);
    CLINIC_TRY(filed);
    if (!*filed || !policy.evidence_digest.empty() || policy.basis_expires)
        return Error{Errc::refused, "basis baa needs the agreement and its expiry",
                     "add --evidence FILE --expires YYYY-MM-DD"};
    const auto agreement = base::parse_json(**filed, 1'024, 2);
    CLINIC_TRY(agreement);
    policy.evidence_digest = word(*agreement, "digest");
    policy.basis_expires = Timestamp{agreement->value("expires", std::int64_t{0})};
    return {};
}

Result<void> configured(records::Transaction& txn, uid_t asker, Literal what) {
    CLINIC_TRY(audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                          .actor_id = asker,
                                          .action = audit::Action::configure,
                                          .purpose = audit::Purpose::operations,
                                          .detail = what}));
    return {};
}

class Desk {
public:
    explicit Desk(const Room& room)
        : store_{room.store}, releaser_{room.releaser}, housekeeping_{room.housekeeping}, health_{room.health} {}

    Result<Answer> basis_set(const Question& question) const {
        const auto mode = release::basis(word(question.args, "mode"));
        if (!mode) return Error{Errc::malformed, "no such basis", "off, deid, authorized, baa or consumer_consent"};
        std::optional<Timestamp> expires;
        if (question.args.contains("expires")) {
            const auto end = end_of_day(word(question.args, "expires"));
            CLINIC_TRY(end);
            expires = *end;
        }
        return change(question.asker, "basis", [&](records::Transaction& txn, release::Policy& policy) -> Result<void> {
            policy.basis = *mode;
            policy.basis_expires = expires;
            policy.evidence_digest =
                question.body.empty() ? std::string{} : crypto::hex(crypto::digest(base::as_bytes(question.body)));
            return *mode == release::Basis::baa ? use_agreement(txn, policy) : Result<void>{};
        });
    }

    Result<Answer> policy_unlinked(const Question& question) const {
        const std::string mode = word(question.args, "mode");
        if (mode != "park" && mode != "shell") return Error{Errc::malformed, "unlinked is park or shell"};
        return change(question.asker, "unlinked",
                      [&](records::Transaction& txn, release::Policy& policy) -> Result<void> {
                          policy.unlinked = mode == "shell" ? release::Unlinked::shell : release::Unlinked::park;
                          return policy.unlinked == release::Unlinked::shell ? outbox::Outbox::unpark(txn, "no_contact")
                                                                             : Result<void>{};
                      });
    }

    Result<Answer> basis_show(const Question&) const {
        json facts;
        CLINIC_TRY(store_.read([&](records::Snapshot& session) -> Result<void> {
            const auto policy = releaser_.policy(session);
            CLINIC_TRY(policy);
            facts = basis_facts(*policy, session.now());
            const auto& bookings = releaser_.booking_options();
            facts["bookings"] = bookings.create ? "times" : bookings.told ? "status" : "none";
            return {};
        }));
        return say(std::move(facts));
    }

    Result<Answer> import(const Question& question) const {
        const auto kind = intake::import_kind(word(question.args, "kind"));
        if (!kind) return Error{Errc::malformed, "no such kind of file", "patients, appointments or consents"};
        if (health_.drained(health::Surface::import))
            return Error{Errc::refused, "the box takes in nothing more: an operator asked for it",
                         "let it take in again: clinicctl drain end --reason TEXT; then import"};
        const auto report = intake::import_csv(store_, releaser_, *kind, question.body, question.asker);
        CLINIC_TRY(report);
        auto data = base::parse_json(intake::to_json(*report), control::answer_bytes_max, 4);
        CLINIC_TRY(data);
        return say(std::move(data).value(), report->is_clean() ? 0 : 2);
    }

    Result<Answer> release_daily(const Question&) const {
        const auto transactions = housekeeping_.re_release();
        CLINIC_TRY(transactions);
        return say({{"transactions", *transactions}});
    }

    // The word is in the audit chain, and known to the next start, before it counts.
    Result<Answer> clock_confirm(const Question& question) const {
        Timestamp at{};
        CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
            at = txn.now();
            CLINIC_TRY(health_.keep_confirmed_clock(txn));
            CLINIC_TRY(housekeeping_.want_walk(txn));
            return configured(txn, question.asker, "clock_confirmed");
        }));
        CLINIC_TRY(health_.confirm_clock());
        housekeeping_.request_walk();
        return say({{"confirmed", base::rfc3339(at)}});
    }

private:
    // One change of the policy: audited, stored, and then everybody is looked at again.
    template <class Edit>
    Result<Answer> change(uid_t asker, Literal what, const Edit& edit) const {
        json facts;
        CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
            auto policy = releaser_.policy(txn);
            CLINIC_TRY(policy);
            CLINIC_TRY(edit(txn, *policy));
            CLINIC_TRY(configured(txn, asker, what));
            CLINIC_TRY(releaser_.set_policy(txn, *policy));
            CLINIC_TRY(housekeeping_.want_walk(txn));
            facts = basis_facts(*policy, txn.now());
            return {};
        }));
        housekeeping_.request_walk();
        return say(std::move(facts));
    }

    records::Store& store_;
    release::Releaser& releaser_;
    Housekeeping& housekeeping_;
    health::Health& health_;
};

Command status_command(health::Health& health) {
    return {.run = [&health](const Question&) -> Result<Answer> {
        health.looked_at(); // as on the page: a hung link is looked for while somebody wants to know
        const auto status = health.status_of_now();
        auto data = base::parse_json(health::to_json(status), control::answer_bytes_max, 16);
        CLINIC_TRY(data);
        return say(std::move(data).value(), static_cast<int>(status.well));
    }};
}

// From the timer of the machine; whoever may ask may tell.
Command checks_command(health::Health& health) {
    return {.run = [&health](const Question& question) -> Result<Answer> {
        const auto set = health::read_checks(question.args.value("checks", json::array()));
        CLINIC_TRY(set);
        health.take_checks(*set);
        return say({{"taken", set->size()}});
    }};
}

Command containment_command(const ContainmentReport& containment) {
    return {.run = [&containment](const Question&) -> Result<Answer> { return say(containment.to_json()); }};
}

} // namespace

// The commands that need the records say so.
Commands commands(health::Health& health, const ContainmentReport& containment) {
    const auto closed = [](const Question&) -> Result<Answer> {
        return Error{Errc::locked, "the records are closed", "see why, and what to do: clinicctl status"};
    };
    return {{"status", status_command(health)},
            {"containment", containment_command(containment)},
            {"checks-tell", checks_command(health)},
            {"metrics", metrics_command(health)},
            {control::any_other, {.run = closed}}};
}

Commands commands(const Room& room) {
    const auto desk = std::make_shared<const Desk>(room);
    const auto ask = [desk](Result<Answer> (Desk::*what)(const Question&) const, bool takes_body = false) {
        return Command{.takes_body = takes_body,
                       .run = [desk, what](const Question& question) { return (*desk.*what)(question); }};
    };
    Commands all{
        {"status", status_command(room.health)},          {"containment", containment_command(room.containment)},
        {"checks-tell", checks_command(room.health)},     {"metrics", metrics_command(room.health)},
        {"basis-set", ask(&Desk::basis_set, true)},       {"basis-show", ask(&Desk::basis_show)},
        {"policy-unlinked", ask(&Desk::policy_unlinked)}, {"import", ask(&Desk::import, true)},
        {"release-daily", ask(&Desk::release_daily)},     {"clock-confirm", ask(&Desk::clock_confirm)},
    };
    all.merge(audit_commands(room.store));
    all.merge(statement_commands(room.store));
    all.merge(bundle_commands(room.store));
    all.merge(message_commands(room.store, room.ingest, room.feeds));
    all.merge(feed_commands(room.store, room.feeds, room.ingest));
    all.merge(link_commands(room.store, room.releaser));
    all.merge(setup_commands(room.store, room.health));
    all.merge(sync_commands(room.store, room.health));
    all.merge(compare_commands(room.store, room.releaser, room.health));
    all.merge(ledger_commands(room.store, room.releaser));
    all.merge(erase_commands(room.store, room.releaser));
    all.merge(template_commands(room.store));
    return all;
}

} // namespace clinic::daemon
