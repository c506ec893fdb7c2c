#include "daemon/crm/own_cases.h"

#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "daemon/audit/trail.h"
#include "sync/envelope/names.h"

namespace clinic::crm {
namespace {

using envelope::CrmOpportunity;
using envelope::Kind;
using envelope::Stage;
using outbox::Beside;
using outbox::Outbox;
using records::PatientId;
using records::Transaction;

// "active open": a word of ours for the stage, where the pipeline has one for it.
std::string shown(const CrmOpportunity& theirs, const envelope::WriteRules::Pipeline& pipeline) {
    std::string word = "other";
    for (std::size_t i = 0; i < pipeline.stages.size() && theirs.pipeline == pipeline.id; ++i)
        if (!theirs.stage.empty() && theirs.stage == pipeline.stages.at(i)) word = name(static_cast<Stage>(i));
    return word + " " + name(theirs.status);
}

bool is_as_said(const CrmOpportunity& theirs, const nlohmann::json& said,
                const envelope::WriteRules::Pipeline& pipeline) {
    const auto stage = envelope::value_of<Stage>(said.value("stage", ""));
    const std::string& wanted = stage ? pipeline.of(*stage) : pipeline.id;
    return theirs.pipeline == pipeline.id && (wanted.empty() || theirs.stage == wanted) &&
           said.value("outcome", "") == name(theirs.status);
}

} // namespace

Result<Compared> compared_case(Transaction& txn, const envelope::CrmFact& seen, PatientId patient, std::int64_t number,
                               const envelope::WriteRules::Pipeline& pipeline) {
    Compared out;
    const auto said = Outbox::last_said_of(txn, patient, Kind::case_state, number);
    CLINIC_TRY(said);
    out.sure = !said->unsure && !said->waits();
    if (!out.sure || said->content.empty()) return out;
    const auto ours = base::parse_json(said->content, envelope::envelope_bytes_max, 3);
    if (!ours) return out;
    const auto* theirs = std::get_if<CrmOpportunity>(&seen.said);
    if (theirs != nullptr && is_as_said(*theirs, *ours, pipeline)) return out;
    out.differences.push_back({theirs == nullptr ? Field::case_deleted : Field::case_state,
                               ours->value("stage", "") + " " + ours->value("outcome", ""),
                               theirs == nullptr ? "deleted" : shown(*theirs, pipeline)});
    return out;
}

Result<void> OwnCases::changed(Transaction& txn, const Object& opportunity) const {
    if (pipeline_.id.empty()) return {};
    const auto owner = Beside::owner_of(txn, Kind::case_state, opportunity.fact.id);
    CLINIC_TRY(owner);
    if (!*owner) return {};
    const auto& [patient, number] = **owner;
    const auto one_of_theirs = Beside::at(txn, patient, number);
    CLINIC_TRY(one_of_theirs);
    if (one_of_theirs->is_left()) // what GHL's people do with it is not ours to undo
        return opportunity.fact.deleted() ? Beside::lost(txn, patient, number) : Result<void>{};
    const auto older = is_older_than_our_write(txn, opportunity, patient, Kind::case_state);
    CLINIC_TRY(older);
    if (*older && !opportunity.fact.deleted()) return {};
    const auto found = compared_case(txn, opportunity.fact, patient, number, pipeline_);
    CLINIC_TRY(found);
    if (found->differences.empty()) return {};
    const Difference& one = found->differences.front();
    if (one.field != Field::case_state)
        return record(txn, opportunity.row, one.field, one.ours, one.theirs, Settled::open);
    const auto by_rule = record_to_write_again(txn, opportunity.row, one);
    if (!by_rule || !*by_rule) return by_rule ? Result<void>{} : by_rule.error();
    CLINIC_TRY(audit::Trail::append(txn, {.actor = audit::Actor::egress,
                                          .action = audit::Action::update,
                                          .purpose = audit::Purpose::release,
                                          .detail = "crm_differs",
                                          .subjects = {patient}}));
    CLINIC_TRY(Outbox::doubt_of(txn, patient, Kind::case_state, number));
    return releaser_.changed(txn, patient, std::nullopt);
}

} // namespace clinic::crm
