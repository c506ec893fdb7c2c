// People: found by identifier, kept sealed with their own key, indexed by keyed tokens.
//   Threads: the store's (all take its session).
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "daemon/records/store.h"

namespace clinic::records {

struct Upserted {
    PatientId id;
    bool created = false;
    bool stale = false;        // older than what is stored: it only added a visit, or numbers
    int numbers_elsewhere = 0; // identifiers of this change that lead to another person: for review, nothing is merged
};

// Finds by any identifier (an alias leads to its survivor), else makes a new person. Errors: malformed when
// there is no identifier.
Result<Upserted> upsert_patient(Transaction& txn, const Disclosure& why, const PatientChange& change,
                                const Stamp& stamp, bool test_traffic);
// In the order given; the survivor when it was merged. Test traffic (MSH-11) has people of its own.
Result<std::optional<PatientId>> find_patient(Session& session, const Disclosure& why,
                                              std::span<const Identifier> identifiers, bool test_traffic = false);

// The prior's identifiers become aliases of the survivor for ever, its appointments and consents move,
// its row stays as `merged`. A no-op when they are one person already.
// Errors: not_found, conflict (one is test traffic and the other is not).
Result<void> merge_patients(Transaction& txn, const Disclosure& why, PatientId survivor, PatientId prior);
Result<std::vector<PatientId>> merged_into(Session& session, PatientId survivor); // chains of merges lead there too
// Rows and tokens of the person and of all that were merged into it; their keys right after the commit. `also`: what
// others keep of each of them goes with it (the outbox's rows), while its key is still there.
using AlsoErase = std::function<Result<void>(PatientId)>;
Result<void> erase_patient(Transaction& txn, const Disclosure& why, PatientId patient, const AlsoErase& also);

// Writes what finds a person, blind index, numbers and the last check's tokens, anew from what is sealed: for a store
// of which some of that was lost. Errors: tampered, not_found (its key is lost), corrupt.
Result<void> index_again(Transaction& txn, const Disclosure& why, PatientId patient);

// Is it the key of the person whose row of `patient` has that number and `sealed`? For a store that is not open.
bool is_key_of(const crypto::SecureBytes& key, std::span<const std::byte> store, PatientId patient, std::int64_t row,
               std::span<const std::byte> sealed);

Result<PatientFacts> patient_facts(Session& session, PatientId patient);
// One by itself, whether or not the list above has it; nullopt: it is not the patient's, or was entered in error.
Result<std::optional<AppointmentFacts>> appointment_facts(Session& session, PatientId patient,
                                                          AppointmentId appointment);
// Patients by id, `rows_max` at a time, inactive ones too (what was said of them can still have to be taken back), but
// none that is merged or erased: the daily job walks them.
Result<std::vector<PatientId>> active_patients(Session& session, std::optional<PatientId> after, int rows_max);
// Kept here, erased ones too; merged ones count once. Walks the merged ones.
Result<std::int64_t> patient_count(Session& session);

// Blind-index look-ups for the desk and for tests: exact, normalised. Kinds: "name" (family ' ' given), "phone",
// "email", "birth_date", "number" (name space '|' number), "number_any" (in whatever name space): at most found_max
// people, each once (of a million, forty have one birth date). Errors: refused for another kind.
inline constexpr int found_max = 1'000;
Result<std::vector<PatientId>> find_by_index(Session& session, Literal kind, std::string_view value);
// Whether that survivor would be among them, however many they are; of the first four kinds.
Result<bool> is_found_by_index(Session& session, PatientId patient, Literal kind, std::string_view value);

} // namespace clinic::records
