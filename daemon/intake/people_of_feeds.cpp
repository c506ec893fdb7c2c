#include "daemon/intake/people_of_feeds.h"

namespace clinic::intake {
namespace {

using records::Disclosure;
using records::PatientChange;
using records::PatientId;

Result<bool> agrees(records::Session& session, const Disclosure& why, PatientId patient, const PatientChange& change) {
    if (change.birth_date.is_given()) {
        const auto same =
            records::is_found_by_index(session, patient, "birth_date", reveal(change.birth_date.value(), why));
        if (!same || *same) return same;
    }
    if (!change.family.is_given() || !change.given.is_given()) return false;
    return records::is_found_by_index(session, patient, "name",
                                      reveal(change.family.value(), why) + ' ' + reveal(change.given.value(), why));
}

} // namespace

Result<std::optional<PatientId>> brought_by_csv(records::Transaction& txn, const Disclosure& why,
                                                const PatientChange& change, bool test_traffic) {
    const std::optional<PatientId> nobody;
    if (test_traffic || change.identifiers.empty()) return nobody;
    const auto known = records::find_patient(txn, why, change.identifiers, test_traffic);
    if (!known) return known.error();
    if (*known) return nobody;
    std::vector<records::Identifier> numbers;
    numbers.push_back({csv_name_space, "MR", records::PhiText{reveal(change.identifiers.front().value, why)}});
    const auto brought = records::find_patient(txn, why, numbers, test_traffic);
    if (!brought) return brought.error();
    if (!*brought) return nobody;
    const auto same = agrees(txn, why, **brought, change);
    if (!same) return same.error();
    return *same ? *brought : nobody;
}

Result<PatientId> person_by_number(records::Transaction& txn, std::string_view number) {
    const auto found = records::find_by_index(txn, "number_any", number);
    if (!found) return found.error();
    if (found->empty()) return Error{Errc::not_found, "no patient has this record number", "import patients first"};
    if (found->size() > 1) return Error{Errc::conflict, "several patients have this record number", "say the sender"};
    return found->front();
}

} // namespace clinic::intake
