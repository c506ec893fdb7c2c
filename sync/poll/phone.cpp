#include "sync/poll/phone.h"

#include <phonenumbers/phonenumberutil.h>

#include <algorithm>
#include <set>

namespace clinic::poll {
namespace {

using i18n::phonenumbers::PhoneNumber;
using i18n::phonenumbers::PhoneNumberUtil;

constexpr std::size_t phone_bytes_max = 40, email_bytes_max = 254, national_min = 4, national_max = 16;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_of_email(char c) {
    constexpr std::string_view others = "@._-+%'!#$&*/=?^`{|}~";
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || others.find(c) != std::string_view::npos;
}

} // namespace

bool is_country(std::string_view text) {
    std::set<std::string> regions;
    PhoneNumberUtil::GetInstance()->GetSupportedRegions(&regions);
    return regions.contains(std::string{text});
}

Phone read_phone(std::string_view shown, std::string_view country) {
    Phone out;
    if (shown.empty() || shown.size() > phone_bytes_max) return out;
    const auto& util = *PhoneNumberUtil::GetInstance();
    PhoneNumber number;
    const std::string region{country};
    if (util.Parse(std::string{shown}, region, &number) != PhoneNumberUtil::NO_PARSING_ERROR ||
        !util.IsPossibleNumber(number))
        return out;
    number.clear_extension(); // two extensions are one line
    util.Format(number, PhoneNumberUtil::E164, &out.e164);
    if (number.country_code() != util.GetCountryCodeForRegion(region)) return out;
    std::string written;
    util.Format(number, PhoneNumberUtil::NATIONAL, &written);
    std::copy_if(written.begin(), written.end(), std::back_inserter(out.national),
                 [](char c) { return c >= '0' && c <= '9'; });
    if (out.national.size() < national_min || out.national.size() > national_max) out.national.clear();
    return out;
}

std::string read_email(std::string_view shown) {
    while (!shown.empty() && shown.front() == ' ') shown.remove_prefix(1);
    while (!shown.empty() && shown.back() == ' ') shown.remove_suffix(1);
    std::string out{shown};
    std::ranges::transform(out, out.begin(), lower);
    const auto at = out.find('@');
    const bool good = out.size() <= email_bytes_max && at != std::string::npos && at > 0 && at + 1 < out.size() &&
                      out.find('@', at + 1) == std::string::npos && std::ranges::all_of(out, is_of_email);
    return good ? out : std::string{};
}

} // namespace clinic::poll
