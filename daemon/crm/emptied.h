// What a merge leaves of contacts. One that the prior keeps beside the survivor's is to say nothing of anybody any
// more; one that came to the survivor is marked as theirs. Both are done by the survivor's envelopes, so what waits and
// what was written is looked for there too.
//   Errors:  those of the store.
//   Threads: the store's.
//   Source:  docs/release.md, "Merge"; docs/crm.md, "The full comparison".
#pragma once

#include <optional>
#include <vector>

#include "daemon/outbox/outbox.h"
#include "daemon/records/patients.h"
#include "sync/envelope/crm.h"

namespace clinic::crm {

// Nobody: they were not merged, or are not there.
Result<std::optional<records::PatientId>> survivor_behind(records::Session& session, records::PatientId patient);

// `linked`: all to whom that contact is linked. One that somebody shares who was not merged is not emptied, and neither
// is one in which nothing was ever said.
Result<bool> is_to_be_empty(records::Session& session, records::PatientId patient,
                            const std::vector<records::PatientId>& linked);

// Of them, or of another one into the same person; or it is on its way, or a dead letter. False of one who was not
// merged.
Result<bool> a_merge_waits(records::Session& session, records::PatientId prior);

// Whose marker the patient's contact carries still, though it came to them from these by a merge.
Result<std::optional<records::PatientId>> marked_before(records::Session& session, const envelope::CrmContact& theirs,
                                                        records::PatientId patient);

// When somebody's contact was last written to: of one who was merged, by a merge too. nullopt: never.
Result<std::optional<Timestamp>> newest_write(records::Session& session, records::PatientId patient);

// A merge sets do-not-disturb: what comes back of it is our own.
Result<bool> merge_wrote_since(records::Session& session, records::PatientId prior, Timestamp since);

} // namespace clinic::crm
