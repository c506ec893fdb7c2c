// What `clinicctl setup` asks for its end-to-end test: an event that central ops acknowledge, and what became of its
// marked test person. docs/setup.md.
#pragma once

#include "daemon/control/control_server.h"
#include "daemon/health/health.h"
#include "daemon/records/store.h"

namespace clinic::daemon {

// Every number of a test person begins so; what became of anybody else is not said here.
inline constexpr const char* test_number_mark = "CE-TEST-";

control::Commands setup_commands(records::Store& store, health::Health& health);

} // namespace clinic::daemon
