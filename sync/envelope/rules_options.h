// The ids of our custom fields, and what may be read of GHL, as a program's configuration names them.
//   Errors: refused, with the rule that was broken.
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>

#include "crypto/base/result.h"
#include "sync/envelope/frame.h"

namespace clinic::envelope {

// `remedy`: the page that says what may stand there.
Result<WriteRules::Reads> read_reads(const nlohmann::json& object, Literal remedy);
// "pipeline": where the cases of patients are, and by Stage what becomes of one, `outcomes` as they are where nothing
// is said. Only clinicd has a use for those; the same section may stand in clinic-syncd's settings.
Result<WriteRules::Pipeline> read_pipeline(const nlohmann::json& object, std::array<Case, 7>& outcomes, Literal remedy);
// "bookings": what becomes of appointments as bookings; after "reads".
Result<void> read_bookings(const nlohmann::json& object, WriteRules& rules, Literal remedy);
Result<WriteRules::Fields> read_field_ids(const nlohmann::json& object, Literal remedy);

} // namespace clinic::envelope
