// An envelope inside another object: what it breaks is kept in the reader.
#pragma once

#include "sync/envelope/closed_object.h"
#include "sync/envelope/envelope.h"

namespace clinic::envelope {

MetadataEnvelope read_envelope(ObjectReader& reader);

} // namespace clinic::envelope
