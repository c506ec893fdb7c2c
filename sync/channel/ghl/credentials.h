// What is shown to GHL so that it lets us in, and what becomes of it when GHL does not.
//   Threads: any.
//   Source:  facts/ghl-api §1.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "crypto/base/result.h"

namespace clinic::ghl {

enum class For : std::uint8_t { probe, work }; // a probe may try what nobody has tried yet

class Credentials {
public:
    Credentials() = default;
    virtual ~Credentials() = default;
    Credentials(const Credentials&) = delete;
    Credentials& operator=(const Credentials&) = delete;

    // To be sent now. Errors: locked (there is none: somebody has to act), offline, timeout (it could not be fetched).
    virtual Result<std::string> bearer(For use, const std::stop_token& stop) = 0;
    virtual void accepted(const std::string& bearer) = 0; // GHL answered to it
    // GHL does not know it (401). True: another one is at hand, or will be fetched by the next `bearer`.
    virtual bool refused(const std::string& bearer) = 0;
};

} // namespace clinic::ghl
