// What the organization allows to leave, and why: the legal basis and its evidence, and the clinic's choices.
//   Source:  design, "What may leave"; facts/health-interop §3.4. Default closed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"

namespace clinic::release {

enum class Basis : std::uint8_t { off, deid, authorized, baa, consumer_consent };
const char* name(Basis basis);
std::optional<Basis> basis(std::string_view name);

enum class Unlinked : std::uint8_t { park, shell };

struct Policy {
    Basis basis = Basis::off;
    std::optional<Timestamp> basis_expires;
    std::string evidence_digest; // hexadecimal BLAKE2b-256 of the evidence file
    Unlinked unlinked = Unlinked::park;
    std::string site;            // s_…, random, made once
    int recall_after_days = 180; // no open appointment and the last visit is older: recall_due
    int lapsed_after_days = 365;
    int new_for_days = 90;

    // The basis as it counts at that time: an expired one is `off`.
    Basis effective(Timestamp at) const;
    bool has_expiry() const { return basis_expires.has_value(); }
};

std::string encode(const Policy& policy); // JSON; setting "policy"
Result<Policy> decode_policy(std::string_view text);

} // namespace clinic::release
