// What a request says, for the ledger: its fields as they leave, with each id of somebody replaced by the name of what
// it is. So a line says exactly what was told, and of whom only to who asks for a person by name.
//   Form:    JSON, {"path":"/contacts/{contact}","fields":{"ce_stage":"active"}}; docs/ledger.md. Empty where the body
//            is none of ours.
//   Threads: pure.
#pragma once

#include <span>
#include <string>

#include "daemon/outbox/outbox.h"
#include "sync/envelope/frame.h"

namespace clinic::egress {

// `ids`: all that the store issued or recorded for this lease; those of its envelopes among them are called by their
// field, any other is a contact's.
std::string said_by(const envelope::WriteRules& rules, const envelope::Attempt& attempt,
                    std::span<const outbox::Leased> lease, std::span<const std::string> ids);

} // namespace clinic::egress
