// How clinic-syncd is let in at GHL, said when it is asked, and how it is told of an authorization: one packet each way
// over the same socket. {"v":1,"ask":"grant"}, or {"v":1,"ask":"authorize","code":"…"}; both have the same answer.
//   Form:    docs/syncd.md, "Asked how its ways are". Closed; no token and no secret is ever said.
//   Bounds:  a code: `code_length_max`.
//   Threads: values; any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/base/result.h"

namespace clinic::diagnose {

inline constexpr std::size_t code_length_max = 2'048;

struct GrantSaid {
    std::string way = "none";                                 // "token", "grant"; "none": GHL is not configured
    std::string state;                                        // of a grant: "none", "works", "untried", "dead"
    std::int64_t minutes_left = 0;                            // of its access token
    std::string address;                                      // where a person lets the app in
    std::vector<std::pair<std::string, std::string>> missing; // scopes, and what does not work without each
    std::string why, remedy;                                  // of an authorization that was not taken; else empty
};

struct GrantQuestion {
    std::optional<std::string> code; // of an authorization
};
std::string write_question(const GrantQuestion& asked);
std::optional<GrantQuestion> read_grant_question(std::string_view text);

std::string write_grant(const GrantSaid& said);
Result<GrantSaid> read_grant(std::string_view text);

// Asks at that socket. Errors: as `ask`'s in said.h.
Result<GrantSaid> ask_grant(const std::string& socket, const GrantQuestion& asked, int seconds_max);

} // namespace clinic::diagnose
