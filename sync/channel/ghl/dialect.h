// In which of its versions each module of GHL's API is spoken to, and what that changes in a request: one table.
//   Errors:  unsupported: a version that the table does not have.
//   Threads: values; any.
//   Source:  facts/ghl-api §0, "Differences v2 -> v3"; docs/ghl.md, "Versions".
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sync/channel/ghl/requests.h"

namespace clinic::ghl {

enum class Module : std::uint8_t { locations, contacts, opportunities, calendars };
inline constexpr std::array module_names{"locations", "contacts", "opportunities", "calendars"};
Module module_of(Route route);

class Dialects {
public:
    // Until something else is said: 2021-07-28, and 2021-04-15 for calendars.
    Result<void> speak(Module module, std::string_view version);
    const char* version(Route route) const; // the Version header
    // As this version has it; requests are written in the dated form.
    Call spoken(Call call) const;

private:
    std::array<std::uint8_t, module_names.size()> versions_{0, 0, 0, 1}; // rows of the table
};

} // namespace clinic::ghl
