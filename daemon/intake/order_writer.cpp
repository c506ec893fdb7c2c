#include "daemon/intake/order_writer.h"

#include "daemon/intake/feed_books.h"
#include "daemon/intake/people_of_feeds.h"
#include "daemon/records/appointments.h"
#include "daemon/records/messages.h"
#include "daemon/records/patients.h"

namespace clinic::intake {
namespace {

using records::Disclosure;
using records::PatientChange;
using records::PatientId;
using records::Transaction;

Result<PatientId> write_person(Transaction& txn, const Disclosure& why, const Order& order, PatientChange& change) {
    if (!change.known) {
        const auto brought = brought_by_csv(txn, why, change, order.test_traffic);
        if (!brought) return brought.error();
        change.known = *brought;
    }
    const auto written = records::upsert_patient(txn, why, change, order.stamp, order.test_traffic);
    if (!written) return written.error();
    CLINIC_TRY(audit::Trail::add_subject(txn, why, written->id));
    return written->id;
}

// Both are made where they are unknown, so that the prior's numbers lead to the survivor for ever.
Result<PatientId> write_merge(Transaction& txn, const Disclosure& why, release::Releaser& releaser, const Order& order,
                              Merge& merge) {
    const auto survivor = write_person(txn, why, order, merge.survivor);
    if (!survivor) return survivor.error();
    const auto prior = write_person(txn, why, order, merge.prior);
    if (!prior) return prior.error();
    if (*survivor == *prior) return *survivor;
    CLINIC_TRY(records::merge_patients(txn, why, *survivor, *prior));
    CLINIC_TRY(releaser.merged(txn, *survivor, *prior));
    return *survivor;
}

// The numbers of PID and of MRG are one person's. Two persons when both are known and differ: then it is a merge.
Result<PatientId> write_identifiers(Transaction& txn, const Disclosure& why, release::Releaser& releaser,
                                    const Order& order, Merge& merge) {
    const auto now = records::find_patient(txn, why, merge.survivor.identifiers, order.test_traffic);
    if (!now) return now.error();
    const auto before = records::find_patient(txn, why, merge.prior.identifiers, order.test_traffic);
    if (!before) return before.error();
    if (*now && *before && **now != **before) return write_merge(txn, why, releaser, order, merge);
    merge.survivor.known = *now ? *now : *before;
    for (auto& identifier : merge.prior.identifiers) merge.survivor.identifiers.push_back(std::move(identifier));
    return write_person(txn, why, order, merge.survivor);
}

Result<void> write_appointment(Transaction& txn, const Disclosure& why, release::Releaser& releaser, const Order& order,
                               std::optional<PatientId> patient, std::string_view raw) {
    const auto written =
        records::upsert_appointment(txn, why, patient, *order.appointment, order.stamp, order.test_traffic);
    if (!written) return written.error();
    if (written->moved_from) {
        CLINIC_TRY(audit::Trail::add_subject(txn, why, *written->moved_from));
        CLINIC_TRY(releaser.changed(txn, *written->moved_from, std::nullopt));
    }
    if (!written->patient) // a block-out: nobody's, nothing is said of it
        return records::keep_unowned_message(txn, feed_mllp.c_str(), raw);
    if (!patient) {                   // the message named nobody; whom the appointment has already, is changed
        CLINIC_TRY(audit::Trail::add_subject(txn, why, *written->patient));
        CLINIC_TRY(records::keep_message(txn, *written->patient, feed_mllp.c_str(), raw));
    }
    return releaser.changed(txn, *written->patient, written->id);
}

} // namespace

Result<void> write_order(Transaction& txn, const Disclosure& why, release::Releaser& releaser, Order& order,
                         std::string_view raw) {
    for (auto& merge : order.merges) {
        const auto person = order.identifiers_change ? write_identifiers(txn, why, releaser, order, merge)
                                                     : write_merge(txn, why, releaser, order, merge);
        if (!person) return person.error();
        CLINIC_TRY(records::keep_message(txn, *person, feed_mllp.c_str(), raw));
        CLINIC_TRY(releaser.changed(txn, *person, std::nullopt));
    }
    std::optional<PatientId> patient;
    if (order.patient) {
        const auto person = write_person(txn, why, order, *order.patient);
        if (!person) return person.error();
        patient = *person;
        CLINIC_TRY(records::keep_message(txn, *patient, feed_mllp.c_str(), raw));
    }
    if (order.appointment) return write_appointment(txn, why, releaser, order, patient, raw);
    if (patient) return releaser.changed(txn, *patient, std::nullopt);
    return {};
}

} // namespace clinic::intake
