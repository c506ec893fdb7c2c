// From envelope to request: what GHL must hold once this lease is delivered. Pure; the mapping table of docs/ghl.md.
//   Source: design, "From envelope to request".
#pragma once

#include <string_view>
#include <vector>

#include "sync/channel/ghl/answer.h"
#include "sync/channel/ghl/requests.h"

namespace clinic::ghl {

// What a lease says, both its envelopes where it has two, freed from how it is sent.
struct Wanted {
    std::vector<FieldValue> fields;
    Tags add, remove;
    Dnd dnd = Dnd::as_it_is;
};
Wanted wanted(const WriteRules& rules, const envelope::Lease& lease);

// What a contact holds once this is delivered, and which one: of a merge the prior's.
Expected expected(const WriteRules& rules, const envelope::Lease& lease);
const std::string& written_to(const envelope::Lease& lease, const std::string& contact);

// It takes away what was said there of somebody who may not be spoken of or is not there any more, marks as somebody's
// what was another's, or is about do-not-contact.
bool always_read_back(const WriteRules& rules, const envelope::Lease& lease);

// Never for a withdrawal or a merge: where nothing is, nothing needs hiding.
bool may_create(envelope::Kind kind);

// The first state of a contact that is not there, in one request.
Call shell(const WriteRules& rules, const envelope::Lease& lease);
// The writes for a contact that is there, in order. `contact` is where the lease's own may be empty.
std::vector<Call> writes(const WriteRules& rules, const envelope::Lease& lease, std::string_view contact);

} // namespace clinic::ghl
