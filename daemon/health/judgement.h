// How bad it is: what is seen, as a word of the page, a mode, a severity for central ops.
//   Threads: any; of their arguments alone.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "daemon/health/findings.h"
#include "daemon/health/health.h"

namespace clinic::health {

Status::Well wellness(const std::vector<Need>& needs); // the worst of them
bool is_mode_code(std::string_view code);              // the sentence says the mode, and has its cause
std::optional<Error> said_by_check(std::string_view code);
const char* severity_of(CheckResult result); // docs/events.md: info, warn, error, critical
const char* severity_of(const Finding& found);
Mode mode_of(const Error& error); // what kept the store from being opened or written
Status::Data data_of(Errc code);  // sound: the machine refused, or another process has the store

} // namespace clinic::health
