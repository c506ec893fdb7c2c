// GHL's token endpoint: codes and refresh tokens for one use each, access tokens with an end.
//   Threads: those of the service, under its lock.
//   Source:  facts/ghl-api §1.2.
#pragma once

#include <map>
#include <set>
#include <string>

#include "tests/emulator/exchange.h"

namespace clinic::emulator {

inline constexpr const char* app_id = "CEapp000000000000001";
inline constexpr const char* app_secret = "CEsecret 1&=";
inline constexpr const char* redirect = "https://clinic-edge.local/ghl";

class Grants {
public:
    explicit Grants(std::string location) : location_{std::move(location)} {}

    std::string new_code(); // as a person's "allow" sends it back
    Answer token(const Request& request, std::int64_t now_ms);
    Answer reconnect(const Json& body);
    bool knows(std::string_view access, std::int64_t now_ms) const;
    void forget_access() { access_.clear(); }
    void uninstall() { access_.clear(), refresh_.clear(), installed_ = false; }

    int life_s = 86'399;
    std::string scope = "locations.readonly contacts.readonly contacts.write locations/customFields.readonly "
                        "locations/customFields.write locations/tags.readonly opportunities.readonly "
                        "calendars.readonly calendars/events.readonly";

private:
    Answer pair(std::int64_t now_ms);

    const std::string location_;
    std::set<std::string> codes_, refresh_;
    std::map<std::string, std::int64_t, std::less<>> access_; // until, in ms
    bool installed_ = false;
};

} // namespace clinic::emulator
