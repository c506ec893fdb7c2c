// What clinic-syncd says of its ways out when it is asked, and how it is asked: one packet each way over a UNIX socket
// (SOCK_SEQPACKET), {"v":1,"ask":"ways"} and the answer.
//   Bounds:  an answer is `answer_bytes_max` long at the most.
//   Form:    docs/syncd.md, "Asked how its ways are". Closed: of run-time text there is a host of the settings, and the
//   name
//            of an issuer, cut and made plain. No token, no body, nothing of an envelope.
//   Errors:  malformed: not such an answer.
//   Threads: values; any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/base/result.h"

namespace clinic::diagnose {

inline constexpr std::size_t answer_bytes_max = 4'096;
inline constexpr std::string_view question = R"({"v":1,"ask":"ways"})";
inline constexpr std::size_t issuer_length_max = 64;

// How far a way is open: each step is tried when the one before it is `ok`.
enum class Step : std::uint8_t {
    not_tried,
    ok,
    timeout,
    failed, // of a reason that has no word of its own
    // Names.
    no_name,   // there is no such name
    no_server, // nobody answers for it
    // TCP.
    refused,
    unreachable, // no route
    // TLS.
    plain,      // what answers does not speak TLS
    cut,        // hung up within the handshake
    issuer,     // not of an authority that is trusted here
    other_name, // the certificate is another's
    expired,
    not_yet, // its time is to come
};
const char* name(Step step); // "no_server"

struct Way {
    bool configured = false;
    std::string host; // of the settings
    std::uint16_t port = 0;
    Step dns = Step::not_tried, tcp = Step::not_tried, tls = Step::not_tried;
    std::string issuer;          // of the far side's certificate; empty: none was seen
    std::int64_t days_left = -1; // of it
    std::string state, code;     // of the lane: up, paused, down; why, as the status has it
};

struct Said {
    Way ghl, mqtt;
    bool verdict = true; // GHL's lane was probed for this; false: nobody could (clinicd is away, or it takes too long)
};

std::string write(const Said& said);
Result<Said> read(std::string_view text);

// At most `issuer_length_max` letters that say nothing to a terminal.
std::string plain(std::string_view text);

// clinicctl's side: asks at that socket and waits so long for the answer. Errors: not_found (nobody listens),
// unauthorized, timeout, offline, malformed.
Result<Said> ask(const std::string& socket, int seconds_max);
// The same for any question: one packet, and what came back.
Result<std::string> put(const std::string& socket, std::string_view asked, int seconds_max,
                        std::size_t bytes_max = answer_bytes_max);

} // namespace clinic::diagnose
