// The last check before a byte leaves: take away by equality what the template, the vocabulary and this very lease's
// ids explain; what remains must hold no identifier of the store.
//   Source: design, "The last check".
#pragma once

#include "crypto/base/result.h"
#include "daemon/records/identifier_index.h"
#include "sync/envelope/frame.h"

namespace clinic::release {

struct Allowed {                  // issued or recorded by the store for this lease
    std::vector<std::string> ids; // pid, aid, contact ids, of an opportunity or a booking; the times of a booking
};

// Success: nothing remains that the store knows. Errors: refused (a rule of the write set), tampered is never used
// here; conflict when an identifier was found: the attempt is blocked; timeout when the store's identifiers are not all
// read yet and something remains to be looked for.
Result<void> last_check(const records::IdentifierIndex& identifiers, const envelope::WriteRules& rules,
                        const envelope::Attempt& attempt, const Allowed& allowed);

} // namespace clinic::release
