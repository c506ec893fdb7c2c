#include "daemon/link_commands.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/asked.h"
#include "daemon/audit/trail.h"
#include "daemon/crm/bookings.h"
#include "daemon/crm/linking.h"
#include "daemon/reason.h"
#include "daemon/records/shown_person.h"

namespace clinic::daemon {
namespace {

using control::Answer;
using control::Question;
using crm::Linking;
using nlohmann::json;
using records::PatientId;
using records::Transaction;

constexpr int rows_max = 200;

Result<PatientId> patient_in(const json& args) {
    const auto uuid = base::Uuid::parse(word(args, "patient"));
    if (!uuid)
        return Error{Errc::malformed, "that is no number of a patient", "as shown by: clinicctl link show CONTACT"};
    return PatientId{*uuid};
}

json to_json(const crm::Conflict& one, const std::string& id, const char* kind) {
    const auto& owned = crm::of(one.field);
    return {{"number", one.number},
            {"kind", kind},
            {"id", id},
            {"field", owned.name},
            {"ours", one.ours},
            {"theirs", one.theirs},
            {"owner", name(owned.owner)},
            {"found_at", base::rfc3339(one.found_at)}};
}

class LinkDesk {
public:
    LinkDesk(records::Store& store, release::Releaser& releaser) : store_{store}, releaser_{releaser} {}

    // What waits for a person: contacts that may be several people's, and differences.
    Result<Answer> list(const Question&) const {
        json choices = json::array(), conflicts = json::array();
        std::int64_t open = 0;
        CLINIC_TRY(store_.read([&](records::Snapshot& session) -> Result<void> {
            const auto waiting = crm::choices(session, rows_max);
            CLINIC_TRY(waiting);
            for (const auto& one : *waiting) {
                const auto offered = crm::offered(session, one.row);
                CLINIC_TRY(offered);
                choices.push_back({{"contact", one.fact.id}, {"may_be", offered->size()}});
            }
            const auto found = crm::open_conflicts(session, rows_max);
            CLINIC_TRY(found);
            for (const auto& one : *found) {
                const auto object = crm::object_at(session, one.object);
                CLINIC_TRY(object);
                if (*object)
                    conflicts.push_back(to_json(one, (*object)->fact.id, envelope::name((*object)->fact.kind)));
            }
            const auto count = crm::open_count(session);
            CLINIC_TRY(count);
            open = *count;
            return {};
        }));
        const bool waits = !choices.empty() || open > 0;
        return say({{"choices", std::move(choices)}, {"conflicts", std::move(conflicts)}, {"conflicts_open", open}},
                   waits ? 1 : 0);
    }

    // Whom a contact is linked to, or may be. Names with a reason alone.
    Result<Answer> show(const Question& question) const {
        const std::string contact = word(question.args, "contact");
        const bool reveal = question.args.value("reveal", false);
        std::string why;
        if (reveal) {
            auto given = reason(question.args);
            CLINIC_TRY(given);
            why = std::move(*given);
        }
        json answer;
        CLINIC_TRY(store_.write([&](Transaction& txn) -> Result<void> {
            const auto object = crm::find(txn, envelope::CrmKind::contact, contact);
            CLINIC_TRY(object);
            if (!*object) return Error{Errc::not_found, "no such contact was seen in GHL", "see: clinicctl link list"};
            const auto linked = outbox::Links::patients_of(txn, contact);
            CLINIC_TRY(linked);
            const auto offered = crm::offered(txn, (*object)->row);
            CLINIC_TRY(offered);
            std::vector<PatientId> all{*linked};
            all.insert(all.end(), offered->begin(), offered->end());
            const auto entry =
                audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                           .actor_id = question.asker,
                                           .action = audit::Action::read,
                                           .purpose = audit::Purpose::operations,
                                           .detail = reveal ? Literal{"link_reveal"} : Literal{"link_show"},
                                           .subjects = all,
                                           .note = why});
            CLINIC_TRY(entry);
            answer = {{"contact", contact},
                      {"state", (*object)->fact.deleted() ? "deleted"
                                : linked->empty()         ? "not linked"
                                                          : "linked"},
                      {"patients", json::array()}};
            for (const PatientId one : all) {
                auto row = person(txn, *entry, one, reveal);
                CLINIC_TRY(row);
                answer["patients"].push_back(std::move(*row));
            }
            return {};
        }));
        return say(std::move(answer));
    }

    Result<Answer> set(const Question& question) const {
        return with_patient(question, "link_set", [&](Linking links, Transaction& txn, PatientId patient) {
            return links.set(txn, word(question.args, "contact"), patient);
        });
    }
    Result<Answer> unset(const Question& question) const {
        return with_patient(question, "link_unset", [](Linking links, Transaction& txn, PatientId patient) {
            return links.unset(txn, patient);
        });
    }
    Result<Answer> split(const Question& question) const {
        return with_patient(question, "link_split", [&](Linking links, Transaction& txn, PatientId patient) {
            return links.split(txn, word(question.args, "contact"), patient);
        });
    }
    Result<Answer> merge(const Question& question) const {
        const std::string kept = word(question.args, "contact"), other = word(question.args, "other");
        auto why = reason(question.args);
        CLINIC_TRY(why);
        CLINIC_TRY(store_.write([&](Transaction& txn) -> Result<void> {
            CLINIC_TRY(Linking{releaser_}.merge(txn, kept, other));
            const auto patients = outbox::Links::patients_of(txn, kept);
            CLINIC_TRY(patients);
            return noted(txn, question.asker, "link_merge", *patients, *why);
        }));
        return say(json::object());
    }

    // A difference that a person has looked at: GHL's side stays, or the clinic has mended it there.
    Result<Answer> settle(const Question& question) const {
        const bool ghl = word(question.args, "winner") == "ghl";
        if (!ghl && word(question.args, "winner") != "clinic")
            return Error{Errc::malformed, "whose side counts is clinic or ghl"};
        auto why = reason(question.args);
        CLINIC_TRY(why);
        CLINIC_TRY(store_.write([&](Transaction& txn) -> Result<void> {
            const auto one =
                crm::settle_number(txn, number(question.args, "number", 0), ghl ? Literal{"ghl"} : Literal{"clinic"});
            CLINIC_TRY(one);
            const auto object = crm::object_at(txn, one->object);
            CLINIC_TRY(object);
            std::vector<PatientId> patients;
            if (*object && (*object)->fact.kind == envelope::CrmKind::contact) {
                auto linked = outbox::Links::patients_of(txn, (*object)->fact.id);
                CLINIC_TRY(linked);
                patients = std::move(*linked);
            }
            if (*object && (*object)->fact.kind == envelope::CrmKind::appointment) {
                auto booked = crm::BookingCheck{releaser_, {}}.decided(txn, **object, *one, ghl);
                CLINIC_TRY(booked);
                return noted(txn, question.asker, "link_settle", *booked, *why);
            }
            if (!ghl)
                for (const PatientId patient : patients) {
                    CLINIC_TRY(outbox::Outbox::doubt(txn, patient));
                    CLINIC_TRY(releaser_.changed(txn, patient, std::nullopt));
                }
            return noted(txn, question.asker, "link_settle", patients, *why);
        }));
        return say(json::object());
    }

private:
    static Result<json> person(Transaction& txn, const records::Disclosure& entry, PatientId patient, bool reveal) {
        json row{{"patient", patient.uuid.text()}};
        if (!reveal) return row;
        const auto shown = records::shown_person(txn, entry, patient);
        CLINIC_TRY(shown);
        row["family"] = records::reveal(shown->family, entry);
        row["given"] = records::reveal(shown->given, entry);
        row["birth_date"] = records::reveal(shown->birth_date, entry);
        return row;
    }

    static Result<void> noted(Transaction& txn, uid_t asker, Literal what, const std::vector<PatientId>& patients,
                              const std::string& why) {
        CLINIC_TRY(audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                              .actor_id = asker,
                                              .action = audit::Action::update,
                                              .purpose = audit::Purpose::operations,
                                              .detail = what,
                                              .subjects = patients,
                                              .note = why}));
        return {};
    }

    template <class Step>
    Result<Answer> with_patient(const Question& question, Literal what, const Step& step) const {
        const auto patient = patient_in(question.args);
        CLINIC_TRY(patient);
        auto why = reason(question.args);
        CLINIC_TRY(why);
        CLINIC_TRY(store_.write([&](Transaction& txn) -> Result<void> {
            CLINIC_TRY(step(Linking{releaser_}, txn, *patient));
            return noted(txn, question.asker, what, {*patient}, *why);
        }));
        return say(json::object());
    }

    records::Store& store_;
    release::Releaser& releaser_;
};

} // namespace

control::Commands link_commands(records::Store& store, release::Releaser& releaser) {
    const auto desk = std::make_shared<const LinkDesk>(store, releaser);
    const auto ask = [desk](Result<Answer> (LinkDesk::*what)(const Question&) const) {
        return control::Command{.run = [desk, what](const Question& question) { return (*desk.*what)(question); }};
    };
    return {{"link-list", ask(&LinkDesk::list)},    {"link-show", ask(&LinkDesk::show)},
            {"link-set", ask(&LinkDesk::set)},      {"link-unset", ask(&LinkDesk::unset)},
            {"link-split", ask(&LinkDesk::split)},  {"link-merge", ask(&LinkDesk::merge)},
            {"link-settle", ask(&LinkDesk::settle)}};
}

} // namespace clinic::daemon
