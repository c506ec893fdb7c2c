// What clinicctl can do: a table of words, read top to bottom.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "provisioning/client.h"

namespace clinic::provisioning {

// The words after the options, and the options by name ("--json" has the value "").
struct Call {
    std::vector<std::string> words;
    std::vector<std::pair<std::string, std::string>> options;
    bool has(std::string_view option) const;
    std::string value(std::string_view option) const;
    std::vector<std::string> values(std::string_view option) const; // of each time it was given
};

// 0 done and well, 1 needs a look, 2 not done or not working.
int run(const Call& call, const Client& client);
void print_usage();

} // namespace clinic::provisioning
