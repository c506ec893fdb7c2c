// Sockets that say exactly what a test gives them, to a whole box: whole, half, slow, or nothing at all.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/owned.h"
#include "tests/e2e/box.h"

namespace clinic::e2e {

// Connected over loopback; empty when it was not taken.
base::UniqueFd tcp(int port, const char* from = "127.0.0.1");
base::UniqueFd unix_socket(const std::filesystem::path& path, int type, unsigned effective_user);

bool send_all(const base::UniqueFd& socket, std::string_view bytes);
// All that comes until the other side ends the stream or `seconds` are over; `ended` says which.
struct Heard {
    std::string bytes;
    bool ended = false;
};
Heard hear(const base::UniqueFd& socket, int seconds, std::string_view until = {});

// What a program holds, by the kernel.
struct Footprint {
    int descriptors = 0;
    long resident_kib = 0;
    long writable_kib = 0; // addresses that are its own and may be written to, used or not: what `ulimit -d` bounds
};
Footprint footprint(int process);
int process_of(const Box& box, const std::string& program); // 0: it does not run

std::string mllp_frame(std::string_view message);
std::string acknowledgement(const std::string& answer); // MSA-1, or empty

} // namespace clinic::e2e
