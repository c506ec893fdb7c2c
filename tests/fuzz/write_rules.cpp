// What may be sent to GHL: the first byte names the route, then the path up to a line end, then the body.
// Whatever passes is plain, bounded, and names nothing outside of the write set.
#include <algorithm>
#include <array>
#include <cassert>

#include "sync/envelope/frame.h"
#include "tests/fuzz/bytes.h"

using namespace clinic;

namespace {

constexpr int routes = static_cast<int>(envelope::Route::booking_read) + 1;

envelope::WriteRules rules() {
    envelope::WriteRules out;
    out.location = "LOCATION";
    out.fields = {"PID", "STAGE", "LAST", "NEXT", "STATUS", "WHEN"};
    out.reads.calendars = {"CALENDAR"};
    out.pipeline = {"PIPELINE", {"LEAD", "NEW", "ACTIVE", "RECALL", "", "", "CLOSED"}};
    out.bookings = true;
    out.booking_calendar = "BOOKINGS";
    return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const auto rest = fuzz::text_of(data + 1, size - 1);
    const auto path = rest.substr(0, rest.find('\n'));
    const auto body = path.size() < rest.size() ? rest.substr(path.size() + 1) : std::string_view{};
    static const auto known = rules();
    if (!envelope::check_request(known, static_cast<envelope::Route>(data[0] % routes), path, body)) return 0;
    constexpr std::array of_the_location{"/locations/LOCATION",
                                         "/locations/LOCATION/customFields",
                                         "/locations/LOCATION/tags",
                                         "/opportunities/pipelines?locationId=LOCATION",
                                         "/calendars/?locationId=LOCATION",
                                         "/opportunities/search"};
    const bool is_contact = path.starts_with("/contacts/") && path.find('?') == std::string_view::npos;
    const bool is_calendar = path.starts_with("/calendars/events?locationId=LOCATION&calendarId=CALENDAR&startTime=");
    const bool is_case = path == "/opportunities/" ||
                         path.starts_with("/opportunities/search?location_id=LOCATION&contact_id=") ||
                         path.starts_with("/opportunities/search?locationId=LOCATION&contactId=") ||
                         (path.starts_with("/opportunities/") && path.find('?') == std::string_view::npos);
    const bool is_booking =
        path.starts_with("/calendars/events/appointments") && path.find('?') == std::string_view::npos;
    assert(is_contact || is_calendar || is_case || is_booking ||
           std::find(of_the_location.begin(), of_the_location.end(), path) != of_the_location.end());
    assert(path.find("..") == std::string_view::npos);
    assert(body.size() <= envelope::attempt_body_bytes_max);
    for (const char c : body) assert(c > ' ' && c < 0x7F);
    return 0;
}
