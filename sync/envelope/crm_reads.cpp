#include "sync/envelope/crm_reads.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "crypto/base/json.h"

namespace clinic::envelope {
namespace {

constexpr std::int64_t window_ms_max = 400LL * 86'400'000;

std::optional<std::int64_t> number_behind(std::string_view text, std::string_view before) {
    const auto at = text.find(before);
    if (at == std::string_view::npos) return std::nullopt;
    std::int64_t value = 0;
    const char* begin = text.data() + at + before.size();
    const auto [end, failed] = std::from_chars(begin, text.data() + text.size(), value);
    if (failed != std::errc{} || end == begin || value < 0) return std::nullopt;
    return value;
}

std::optional<int> small_behind(std::string_view text, std::string_view before, int max) {
    const auto value = number_behind(text, before);
    if (!value || *value < 1 || *value > max) return std::nullopt;
    return static_cast<int>(*value);
}

bool is_contacts_read(const WriteRules& rules, std::string_view body) {
    constexpr std::string_view before = R"("gte":")";
    const auto at = body.find(before);
    if (at == std::string_view::npos) return false;
    const auto since = ms_of(body.substr(at + before.size(), iso_ms(0).size()));
    const auto page = small_behind(body, R"("page":)", poll_pages_max);
    const auto limit = small_behind(body, R"("pageLimit":)", poll_page_max);
    return since >= 0 && page && limit && body == changed_contacts_body(rules, since, *page, *limit);
}

bool is_opportunities_read(const WriteRules& rules, std::string_view body) {
    const auto page = small_behind(body, R"("page":)", poll_pages_max);
    const auto limit = small_behind(body, R"("limit":)", poll_page_max);
    return page && limit && body == opportunities_body(rules, *page, *limit);
}

bool is_events_read(const WriteRules& rules, std::string_view path) {
    const auto from = number_behind(path, "startTime=");
    const auto until = number_behind(path, "endTime=");
    if (!from || !until || *until <= *from || *until - *from > window_ms_max) return false;
    return std::ranges::any_of(rules.reads.calendars, [&](const std::string& calendar) {
        return path == calendar_events_path(rules, calendar, *from, *until);
    });
}

// Of an id: nothing in it needs an escape.
std::string in_quotes(std::string_view id) {
    return '"' + std::string{id} + '"';
}

// Digits of a fixed width; -1 where one is none.
int digits(std::string_view text, std::size_t at, std::size_t width) {
    int value = 0;
    if (at + width > text.size()) return -1;
    for (const char c : text.substr(at, width)) {
        if (c < '0' || c > '9') return -1;
        value = value * 10 + (c - '0');
    }
    return value;
}

// "Z", "+02:00", "-0500": minutes.
std::optional<int> offset_minutes(std::string_view text) {
    if (text == "Z") return 0;
    if (text.size() < 5 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
    const bool colon = text[3] == ':';
    if (text.size() != (colon ? 6U : 5U)) return std::nullopt;
    const int hours = digits(text, 1, 2), minutes = digits(text, colon ? 4 : 3, 2);
    if (hours < 0 || hours > 18 || minutes < 0 || minutes > 59) return std::nullopt;
    return (text[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
}

} // namespace

std::string iso_ms(std::int64_t ms) {
    using namespace std::chrono;
    const sys_time<milliseconds> at{milliseconds{ms}};
    const auto day = floor<days>(at);
    const year_month_day date{day};
    const hh_mm_ss time{at - day};
    char out[40];
    std::snprintf(out, sizeof out, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()));
    return out;
}

std::int64_t ms_of(std::string_view iso) {
    using namespace std::chrono;
    if (iso.size() < 20 || iso.size() > 40 || iso[4] != '-' || iso[7] != '-' || iso[10] != 'T' || iso[13] != ':' ||
        iso[16] != ':')
        return -1;
    const int hour = digits(iso, 11, 2), minute = digits(iso, 14, 2), second = digits(iso, 17, 2);
    const year_month_day date{year{digits(iso, 0, 4)}, month{static_cast<unsigned>(digits(iso, 5, 2))},
                              day{static_cast<unsigned>(digits(iso, 8, 2))}};
    if (!date.ok() || date.year() < year{1970} || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
        second > 60)
        return -1;
    std::size_t at = 19;
    int ms = 0;
    if (iso[at] == '.') {
        int width = 100;
        for (++at; at < iso.size() && iso[at] >= '0' && iso[at] <= '9'; ++at, width /= 10)
            ms += width * (iso[at] - '0');
    }
    const auto offset = offset_minutes(iso.substr(at));
    if (!offset) return -1;
    const auto whole = sys_days{date} + hours{hour} + minutes{minute - *offset} + seconds{second} + milliseconds{ms};
    return std::max<std::int64_t>(0, whole.time_since_epoch().count());
}

std::string changed_contacts_body(const WriteRules& rules, std::int64_t since_ms, int page, int limit) {
    return R"({"filters":[{"field":"dateUpdated","operator":"range","value":{"gte":")" + iso_ms(since_ms) +
           R"("}}],"locationId":)" + in_quotes(rules.location) + R"(,"page":)" + std::to_string(page) +
           R"(,"pageLimit":)" + std::to_string(limit) + R"(,"sort":[{"direction":"asc","field":"dateUpdated"}]})";
}

std::string opportunities_body(const WriteRules& rules, int page, int limit) {
    return R"({"additionalDetails":{"calendarEvents":false,"notes":false,"tasks":false,"unReadConversations":false},)"
           R"("limit":)" +
           std::to_string(limit) + R"(,"locationId":)" + in_quotes(rules.location) + R"(,"page":)" +
           std::to_string(page) + R"(,"query":"","searchAfter":[]})";
}

std::string calendar_events_path(const WriteRules& rules, std::string_view calendar, std::int64_t from_ms,
                                 std::int64_t until_ms) {
    return "/calendars/events?locationId=" + rules.location + "&calendarId=" + std::string{calendar} +
           "&startTime=" + std::to_string(from_ms) + "&endTime=" + std::to_string(until_ms);
}

bool is_poll_read(Route route) {
    return route == Route::contacts_changed || route == Route::opportunities_page || route == Route::calendar_events;
}

bool is_allowed_read(const WriteRules& rules, Route route, std::string_view path, std::string_view body) {
    if (!is_contact_id(rules.location)) return false;
    switch (route) {
    case Route::contacts_changed: return path == "/contacts/search" && is_contacts_read(rules, body);
    case Route::opportunities_page: return path == "/opportunities/search" && is_opportunities_read(rules, body);
    case Route::calendar_events: return body.empty() && is_events_read(rules, path);
    default: return false;
    }
}

} // namespace clinic::envelope
