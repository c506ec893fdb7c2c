// What health asks of intake: its counts since start, for /metrics, and whether a sender is silent. Names by
// Prometheus' conventions; no label is from outside.
#pragma once

#include <vector>

#include "daemon/health/health.h"
#include "daemon/intake/feeds.h"
#include "daemon/intake/ingest.h"
#include "daemon/intake/mllp_server.h"

namespace clinic::daemon {

std::vector<health::Measure> measures(const intake::MllpNumbers& mllp, const intake::IngestNumbers& ingest);
// Nothing, of a sender that has no name any more.
health::Expected expected_of(const intake::Feeds& feeds, const health::Feed& sender, Timestamp now);

} // namespace clinic::daemon
