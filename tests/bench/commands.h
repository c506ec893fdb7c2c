// One measurement each. Figures on standard output as one JSON object; a run that cannot be trusted ends with give_up.
#pragma once

#include <nlohmann/json.hpp>

#include "tests/bench/arguments.h"

namespace clinic::bench {

using nlohmann::json;

json bare_sqlite(const Arguments& given); // commits, and the cost of one fdatasync, on a folder's disk
json acknowledge(const Arguments& given); // messages acknowledged with so many senders, each waiting for its answer
json latency(const Arguments& given);     // from a message to its request at the emulator, one at a time
json sustained(const Arguments& given);   // a steady rate of messages, and how far the requests are behind
json deliver(const Arguments& given);     // envelopes that wait, from when clinic-syncd may go on
json backlog(const Arguments& given);     // fresh changes beside many that wait, and how fast these drain
json bare_https(const Arguments& given);  // the same requests as the box sends, without the box
json bare_paho(const Arguments& given);   // the same events as the box tells, without the box
json start(const Arguments& given);       // from exec to READY=1 and to the first positive acknowledgement

} // namespace clinic::bench
