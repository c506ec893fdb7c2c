// What intake counts since start, for /metrics. Names by Prometheus' conventions; no label is from outside.
#pragma once

#include <vector>

#include "daemon/health/health.h"
#include "daemon/intake/ingest.h"
#include "daemon/intake/mllp_server.h"

namespace clinic::daemon {

std::vector<health::Measure> measures(const intake::MllpNumbers& mllp, const intake::IngestNumbers& ingest);

} // namespace clinic::daemon
