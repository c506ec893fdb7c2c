// What is kept of GHL's answers: ids, our own fields, and what the answer means. Everything else is dropped by the
// parser.
//   Bounds:  256 KiB a body, depth 16; nothing of a body is logged.
//   Threads: pure.
//   Source:  facts/ghl-api §2.2, §2.3, §3.1, §5.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sync/channel/ghl/inventory.h"
#include "sync/lane/channel.h"
#include "sync/lane/rate_budget.h"

namespace clinic::ghl {

inline constexpr std::size_t body_bytes_max = 256 * 1024;

// What a contact, an opportunity or a booking that is read back must hold, and what it must not; the parser keeps
// nothing of it but whether it is so.
struct Expected {
    std::vector<std::pair<std::string, std::string>> fields; // id, value
    std::vector<std::string> tags, no_tags;
    bool dnd = false;   // do-not-disturb is set
    std::string status; // of an opportunity or a booking instead: nothing else of it
};

// What makes an opportunity or a booking that is found ours: its name is our pseudonym, and it is that contact's.
struct Sought {
    const char *list = "", *key = ""; // "opportunities", "name"
    std::string value, contact;
    bool contact_in_path = false; // what names no contact is theirs
};

struct Answer {
    bool json = false;                // an object of the bounds; a page of HTML is not
    bool scope_fault = false;         // "not authorized for this scope": no token refresh helps
    bool absent = false;              // "not found": what a 400 says of an id that GHL does not have
    std::string contact;              // contact.id of a create
    std::string duplicate_of;         // meta.contactId of a 400; a claim, not yet ours
    std::vector<std::string> marked;  // of a search: contacts whose marker field holds exactly the marker
    std::string object;               // of a create: the opportunity's or the booking's id
    std::vector<std::string> objects; // of a search: the opportunities or bookings that are as `Sought` says
    bool taken = false;               // a 400: the contact has an open opportunity; GHL does not say which
    Listed listed;                    // what the location has
    std::optional<bool> as_expected;  // of what was read back
};

// `marker_field` and `marker` decide which found contacts are ours; ids that are not plain, and what GHL shows as
// deleted, are dropped.
Answer read_answer(std::string_view body, std::string_view marker_field, std::string_view marker,
                   const Expected* expected = nullptr, const Sought* sought = nullptr);

// One request's end, as the client saw it.
struct Exchange {
    enum class Result : std::uint8_t { not_sent, answered, unknown } result = Result::not_sent;
    int status = 0;             // when answered
    const char* failure = "";   // our code, when not answered or the body was not readable: "offline", …
    bool dry = false;           // clinicd wrote it down and let nothing be sent: as if it had been done
    bool needs_someone = false; // a certificate that does not verify, a token that cannot be read
    bool another_token = false; // GHL refused what it was shown, and the next request shows another one
    Answer answer;
    lane::RateHints rate;
    base::Micros retry_after{};
};

enum class Meaning : std::uint8_t {
    ok,
    passing,    // the lane pauses
    denied,     // the lane is down until somebody acts
    duplicate,  // the create named a contact that is there
    about_body, // this request's own fault
};
struct Judgement {
    Meaning meaning;
    std::string code; // ^[a-z0-9_]{0,32}$
};
Judgement judge(const Exchange& exchange);

// Retry-After: seconds, or an HTTP date against `date_seconds`. Zero when it is neither; at most an hour.
base::Micros retry_after(std::string_view text, std::int64_t now_seconds);

} // namespace clinic::ghl
