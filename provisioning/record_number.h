// A patient's record number, as a person gives it.
//   Bounds:  64 bytes.
//   Threads: one; it reads standard input.
#pragma once

#include <optional>
#include <string>

namespace clinic::provisioning {

// A line of standard input: it is a patient's, and no word of the command line, which others see. `command` is said
// where there is none.
std::optional<std::string> read_record_number(const char* command);

} // namespace clinic::provisioning
