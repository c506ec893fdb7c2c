// How what is beside a contact is said: a patient's case, and bookings.
#pragma once

#include <cstdint>
#include <functional>

#include "crypto/base/result.h"
#include "sync/envelope/envelope.h"

namespace clinic::release {

// Puts on what all envelopes carry, and pushes, unless GHL holds just this or it waits already. `number`:
// outbox::Beside.
using SayBeside = std::function<Result<void>(envelope::MetadataEnvelope envelope, std::int64_t number)>;

} // namespace clinic::release
