// The status' counts by the names that docs/status.md gives them, for whoever shows them.
//   Threads: values; any.
#pragma once

#include <map>
#include <string>

#include "daemon/health/health.h"

namespace clinic::health {

using Numbers = std::map<std::string, std::int64_t>;

Numbers numbers(const outbox::Books& books);
Numbers numbers(const Feed& feed);
// Of `store`, those that a look at them does not move.
Numbers counters(const Status& status);

} // namespace clinic::health
