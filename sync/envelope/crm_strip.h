// What of a thing that GHL shows is kept: a fact of the allow-list. Everything else is dropped: never copied.
//   Units:   milliseconds UTC.
//   Threads: pure.
//   Source:  facts/ghl-api §3.1, §3.3, §3.4, §6.1; docs/crm.md.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "sync/envelope/frame.h"

namespace clinic::envelope {

// Of a contact, an appointment, an opportunity or the location, as an answer or a webhook shows it. Nothing: it lacks
// what a fact must say, or is of a calendar that is not configured. `read_ms`: when it was read, or sent to us.
std::optional<CrmFact> strip(CrmKind kind, const nlohmann::json& shown, const WriteRules& rules, std::int64_t read_ms);

// It was deleted, and GHL shows it all the same, with a mark: a booking's description has it from v3 on, a contact's in
// what a create answers. Such a thing is a fact of its deletion.
bool is_deleted(const nlohmann::json& shown);

// Whether what a fact says beside ids, states and times is of what is configured here.
bool is_configured(const CrmFact& fact, const WriteRules::Reads& reads);
bool is_configured(const CrmFact& fact, const WriteRules& rules); // the location's is of ours, besides

} // namespace clinic::envelope
