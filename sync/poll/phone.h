// A phone number as GHL shows it, in the forms that are compared: by libphonenumber.
//   Errors:  none; a number that is no possible one is empty.
//   Threads: any; the first call builds the tables (some 10 ms).
#pragma once

#include <string>
#include <string_view>

namespace clinic::poll {

struct Phone {
    std::string e164;     // "+15550102030", or empty
    std::string national; // as it is dialled within `country`, digits; empty where it is another country's
};

// `country`: two capitals of ISO 3166, whose way of writing a number without a country code is assumed.
Phone read_phone(std::string_view shown, std::string_view country);
bool is_country(std::string_view text); // one that has numbers

std::string read_email(std::string_view shown); // small letters; empty where it is none that a probe may hold

} // namespace clinic::poll
