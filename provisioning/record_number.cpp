#include "provisioning/record_number.h"

#include <unistd.h>

#include <cstdio>
#include <iostream>

namespace clinic::provisioning {
namespace {

constexpr std::size_t number_bytes_max = 64;

} // namespace

std::optional<std::string> read_record_number(const char* command) {
    if (isatty(STDIN_FILENO) != 0) std::fputs("Record number: ", stderr);
    std::string line;
    if (std::getline(std::cin, line) && !line.empty() && line.size() <= number_bytes_max) return line;
    std::fprintf(stderr, "clinicctl: %s: --patient reads a line with the record number\n", command);
    return std::nullopt;
}

} // namespace clinic::provisioning
