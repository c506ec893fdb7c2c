// What would be said by other settings: the release itself, heard and undone.
//   Source:  docs/ledger.md, "Before a policy is changed".
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "daemon/release/bookings.h"
#include "daemon/release/cases.h"
#include "daemon/release/policy.h"
#include "sync/envelope/envelope.h"

namespace clinic::release {

struct Settings { // all that decides what leaves, but the records
    Policy policy;
    CaseOptions cases;
    BookingOptions bookings;
};

// `number`: of what is beside the contact (outbox::Beside).
using Hear = std::function<void(const envelope::MetadataEnvelope& envelope, std::optional<std::int64_t> number)>;

} // namespace clinic::release
