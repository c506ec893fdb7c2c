#include "daemon/compare_commands.h"

#include <nlohmann/json.hpp>

#include "daemon/asked.h"
#include "daemon/audit/trail.h"
#include "daemon/crm/repair.h"
#include "daemon/crm/walks.h"

namespace clinic::daemon {
namespace {

using control::Answer;
using control::Question;
using crm::Differs;
using nlohmann::json;

json time_or_null(const std::optional<Timestamp>& at) {
    return at ? json(base::rfc3339(*at)) : json{};
}

const char* step_of(const crm::Walk& walk) {
    if (!walk.started_at) return "waits";
    return walk.read ? "contacts" : "pages";
}

json to_json(const std::optional<crm::Walk>& walk) {
    if (!walk) return {};
    json out{{"number", walk->number},
             {"by", walk->nightly ? "night" : "operator"},
             {"asked_at", base::rfc3339(walk->asked_at)},
             {"started_at", time_or_null(walk->started_at)},
             {"ended_at", time_or_null(walk->ended_at)},
             {"compared", walk->compared},
             {"requests", walk->requests}};
    if (walk->ended_at) return out;
    out["step"] = step_of(*walk);
    out["reached_at"] = walk->reached_ms == 0 ? json{} : json(base::rfc3339(Timestamp{walk->reached_ms * 1'000}));
    return out;
}

bool needs_a_person(Differs kind) {
    return kind == Differs::marker || kind == Differs::twice;
}

json kinds_of(const crm::Counts& counts) {
    json out = json::array();
    for (const Differs kind : crm::every_kind)
        out.push_back({{"kind", crm::name(kind)},
                       {"contacts", counts.of.at(static_cast<std::size_t>(kind))},
                       {"repair", needs_a_person(kind) ? "person" : "again"}});
    return out;
}

class CompareDesk {
public:
    CompareDesk(records::Store& store, release::Releaser& releaser, health::Health& health)
        : store_{store}, releaser_{releaser}, health_{health} {}

    // Asks for one, but in a dry run; and says how far it is and what is known to differ.
    Result<Answer> compare(const Question& question) const {
        const bool dry_run = question.args.value("dry_run", false);
        if (!dry_run)
            CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
                CLINIC_TRY(crm::Walks::ask(txn, false));
                return note(txn, question, "crm_compare", "", {});
            }));
        json facts{{"asked", !dry_run}};
        crm::Counts counts;
        CLINIC_TRY(store_.read([&](records::Snapshot& session) -> Result<void> {
            const auto under_way = crm::Walks::under_way(session);
            CLINIC_TRY(under_way);
            const auto last = crm::Walks::newest_ended(session);
            CLINIC_TRY(last);
            const auto found = crm::count_differing(session);
            CLINIC_TRY(found);
            counts = *found;
            facts["under_way"] = to_json(*under_way);
            facts["last"] = to_json(*last);
            return {};
        }));
        const auto consistency = health_.status_of_now().consistency;
        facts["percent"] = consistency.compared < 0 ? json{} : json(consistency.percent());
        facts["differing"] = counts.contacts;
        facts["kinds"] = kinds_of(counts);
        return say(std::move(facts), counts.contacts > 0 ? 1 : 0);
    }

    Result<Answer> repair(const Question& question) const {
        const auto kind = crm::differs(word(question.args, "kind"));
        if (!kind)
            return Error{Errc::malformed, "which kind of difference is not said, or there is none of that name",
                         "--kind fields, tags, do_not_disturb, marker, gone, orphan, twice, opportunity or booking"};
        const bool dry_run = question.args.value("dry_run", false);
        crm::Repaired all;
        std::optional<std::int64_t> after{0};
        while (after) {
            crm::Repaired part;
            CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
                part = {};
                const auto next = crm::Repair{releaser_, dry_run}.slice(txn, *kind, *after, part);
                CLINIC_TRY(next);
                after = *next;
                if (dry_run || part.patients.empty()) return {};
                return note(txn, question, "crm_repair", crm::name(*kind), std::move(part.patients));
            }));
            all.found += part.found;
            all.put_again += part.put_again;
            all.left += part.left;
        }
        return say({{"kind", crm::name(*kind)},
                    {"dry_run", dry_run},
                    {"found", all.found},
                    {"put_again", all.put_again},
                    {"left", all.left}},
                   all.left > 0 ? 1 : 0);
    }

private:
    static Result<void> note(records::Transaction& txn, const Question& question, Literal what, std::string text,
                             std::vector<records::PatientId> subjects) {
        const auto entry = audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                                      .actor_id = question.asker,
                                                      .action = audit::Action::release,
                                                      .purpose = audit::Purpose::operations,
                                                      .detail = what,
                                                      .subjects = std::move(subjects),
                                                      .note = std::move(text)});
        return entry ? Result<void>{} : entry.error();
    }

    records::Store& store_;
    release::Releaser& releaser_;
    health::Health& health_;
};

} // namespace

control::Commands compare_commands(records::Store& store, release::Releaser& releaser, health::Health& health) {
    const auto desk = std::make_shared<const CompareDesk>(store, releaser, health);
    return {{"sync-compare", {.run = [desk](const Question& question) { return desk->compare(question); }}},
            {"sync-repair", {.run = [desk](const Question& question) { return desk->repair(question); }}}};
}

} // namespace clinic::daemon
