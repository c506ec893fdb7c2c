// Who a change from a feed is about, where two feeds give the same person different name spaces; and what is the same
// for every feed that changes a person.
//   Threads: the store's writer thread.
#pragma once

#include <optional>

#include "daemon/records/appointments.h"
#include "daemon/records/patients.h"
#include "daemon/release/releaser.h"

namespace clinic::intake {

inline constexpr const char* csv_name_space = "csv";

// Nobody has the identifiers of `change`, but a CSV import brought the same number, and the birth date or the name
// agrees: that is the person. A number alone is not enough, because two systems count from one.
Result<std::optional<records::PatientId>> brought_by_csv(records::Transaction& txn, const records::Disclosure& why,
                                                         const records::PatientChange& change, bool test_traffic);

// The person with that record number in whatever name space. Errors: not_found; conflict when two have it.
Result<records::PatientId> person_by_number(records::Transaction& txn, std::string_view number);

} // namespace clinic::intake
