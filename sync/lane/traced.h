// One delivery as spans: what the change came from, since its release, while it was under way, each request to GHL.
//   Threads: any.
//   Source:  docs/observability.md.
#pragma once

#include <chrono>

#include "sync/lane/channel.h"
#include "sync/trace/span_queue.h"

namespace clinic::lane {

// `began`: when the lease was taken. Nothing is noted of a lease without a trace; one that took out two changes is
// noted in the trace of each.
void note_delivery(trace::SpanQueue& spans, const envelope::Lease& lease, const Delivery& delivery,
                   std::chrono::steady_clock::time_point began);

} // namespace clinic::lane
