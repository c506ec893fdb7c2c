#include "daemon/intake/order_writer.h"

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

// One message on its way into the store.
class Writing {
public:
    Writing(Transaction& txn, const Disclosure& why, release::Releaser& releaser, Order& order, std::string_view feed,
            std::string_view raw)
        : txn_{txn}, why_{why}, releaser_{releaser}, order_{order}, feed_{feed}, raw_{raw} {}

    Result<void> all();
    bool is_late() const { return is_late_; }

private:
    Result<PatientId> person(PatientChange& change);
    Result<PatientId> merge(Merge& merge);
    Result<PatientId> identifiers(Merge& merge);
    Result<void> appointment(std::optional<PatientId> patient);

    Transaction& txn_;
    const Disclosure& why_;
    release::Releaser& releaser_;
    Order& order_;
    const std::string_view feed_, raw_;
    bool is_late_ = false;
};

Result<PatientId> Writing::person(PatientChange& change) {
    if (!change.known) {
        const auto brought = brought_by_csv(txn_, why_, change, order_.test_traffic);
        if (!brought) return brought.error();
        change.known = *brought;
    }
    const auto written = records::upsert_patient(txn_, why_, change, order_.stamp, order_.test_traffic);
    if (!written) return written.error();
    is_late_ = is_late_ || written->stale;
    CLINIC_TRY(audit::Trail::add_subject(txn_, why_, written->id));
    return written->id;
}

// Both are made where they are unknown, so that the prior's numbers lead to the survivor for ever.
Result<PatientId> Writing::merge(Merge& merge) {
    const auto survivor = person(merge.survivor);
    if (!survivor) return survivor.error();
    const auto prior = person(merge.prior);
    if (!prior) return prior.error();
    if (*survivor == *prior) return *survivor;
    CLINIC_TRY(records::merge_patients(txn_, why_, *survivor, *prior));
    CLINIC_TRY(releaser_.merged(txn_, *survivor, *prior));
    return *survivor;
}

// The numbers of PID and of MRG are one person's. Two persons when both are known and differ: then it is a merge.
Result<PatientId> Writing::identifiers(Merge& merge) {
    const auto now = records::find_patient(txn_, why_, merge.survivor.identifiers, order_.test_traffic);
    if (!now) return now.error();
    const auto before = records::find_patient(txn_, why_, merge.prior.identifiers, order_.test_traffic);
    if (!before) return before.error();
    if (*now && *before && **now != **before) return this->merge(merge);
    merge.survivor.known = *now ? *now : *before;
    for (auto& identifier : merge.prior.identifiers) merge.survivor.identifiers.push_back(std::move(identifier));
    return person(merge.survivor);
}

Result<void> Writing::appointment(std::optional<PatientId> patient) {
    const auto written =
        records::upsert_appointment(txn_, why_, patient, *order_.appointment, order_.stamp, order_.test_traffic);
    if (!written) return written.error();
    is_late_ = is_late_ || written->stale;
    if (written->moved_from) {
        CLINIC_TRY(audit::Trail::add_subject(txn_, why_, *written->moved_from));
        CLINIC_TRY(releaser_.changed(txn_, *written->moved_from, written->id));
    }
    if (!written->patient) // a block-out: nobody's, nothing is said of it
        return records::keep_unowned_message(txn_, feed_, raw_);
    if (!patient) { // the message named nobody; whom the appointment has already, is changed
        CLINIC_TRY(audit::Trail::add_subject(txn_, why_, *written->patient));
        CLINIC_TRY(records::keep_message(txn_, *written->patient, feed_, raw_));
    }
    return releaser_.changed(txn_, *written->patient, written->id);
}

Result<void> Writing::all() {
    for (auto& one : order_.merges) {
        const auto person = order_.identifiers_change ? identifiers(one) : merge(one);
        if (!person) return person.error();
        CLINIC_TRY(records::keep_message(txn_, *person, feed_, raw_));
        CLINIC_TRY(releaser_.changed(txn_, *person, std::nullopt));
    }
    std::optional<PatientId> patient;
    if (order_.patient) {
        const auto written = person(*order_.patient);
        if (!written) return written.error();
        patient = *written;
        CLINIC_TRY(records::keep_message(txn_, *patient, feed_, raw_));
    }
    if (order_.appointment) return appointment(patient);
    if (patient) return releaser_.changed(txn_, *patient, std::nullopt);
    return {};
}

} // namespace

Result<bool> write_order(Transaction& txn, const Disclosure& why, release::Releaser& releaser, Order& order,
                         std::string_view feed, std::string_view raw) {
    Writing writing{txn, why, releaser, order, feed, raw};
    CLINIC_TRY(writing.all());
    return writing.is_late();
}

} // namespace clinic::intake
