// A sender that the clinic has given a name: where it comes from, how it shows who it is, how it is understood.
//   Form:    JSON as clinicctl sends it and the store keeps it; docs/clinicctl.md.
//   Errors:  malformed, with what to write instead.
//   Threads: values; any.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"
#include "daemon/intake/expectation.h"
#include "daemon/intake/sender_rules.h"

namespace clinic::intake {

inline constexpr std::size_t feeds_max = 64;
inline constexpr std::size_t addresses_max = 64, status_words_max = 64; // of one feed

struct FeedSettings {
    std::string name;                   // [a-z0-9][a-z0-9-]{0,31}
    std::vector<std::string> addresses; // addresses and CIDR blocks; with a certificate, where it may come from
    std::string certificate;            // CN or DNS name of its client certificate: TLS alone then
    std::string sender;                 // "MSH-3|MSH-4": only its messages; empty: all from there
    SenderRules rules;
    Expectation expected;

    // The name that its certificate has, if it comes with one.
    const std::string& certificate_name() const { return certificate.empty() ? name : certificate; }
};

nlohmann::json to_json(const FeedSettings& feed);
// Changes what `change` names; a status word with null goes. An unknown key is an error.
Result<void> apply(FeedSettings& feed, const nlohmann::json& change);
// As it must be to be kept: a name, and a place or a certificate.
Result<void> check(const FeedSettings& feed);

const char* name(Acknowledgement acknowledgement);

} // namespace clinic::intake
