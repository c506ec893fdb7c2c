// The frames of egress.sock: the only way between the process that can read records and the one that has a network.
//   Transport: AF_UNIX SOCK_SEQPACKET, one frame a packet, JSON, at most 65,536 bytes; clinic-syncd asks, clinicd
//   answers. Rules:     docs/egress.md. Closed objects: an unknown frame, field or value is a refusal, and both sides
//   check. Threads:   values; any.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "crypto/base/result.h"
#include "sync/envelope/crm.h"
#include "sync/envelope/envelope.h"

namespace clinic::envelope {

inline constexpr std::size_t frame_bytes_max = 65'536;
inline constexpr std::size_t attempt_body_bytes_max = 8'192;
inline constexpr std::size_t device_events_max = 32;
inline constexpr std::int64_t heard_us_max = 3'600'000'000; // an hour

// ---- in: clinic-syncd asks --------------------------------------------------------------------------------------
// What a request for a lease takes at the least: `live`, what was queued within a day; `urgent`, suppressions and
// consents.
enum class Least : std::uint8_t { any, live, urgent };
struct LeaseRequest {
    Destination destination = Destination::crm;
    int wait_ms = 0; // 0..20,000: answer empty after this when nothing is due
    Least least = Least::any;
};

// Which write of facts/ghl-api §3.6 a request is. The path follows from the route and the ids.
enum class Route : std::uint8_t {
    location_read,  // GET  /locations/{location}
    contact_create, // POST /contacts/
    contact_search, // POST /contacts/search, filtered on the box's own marker
    contact_fields, // PUT  /contacts/{contact}
    tags_add,       // POST /contacts/{contact}/tags
    tags_remove,    // DELETE /contacts/{contact}/tags
    // Reads of the polling, which serve no envelope.
    contacts_changed,   // POST /contacts/search, by dateUpdated
    opportunities_page, // POST /opportunities/search
    calendar_events,    // GET  /calendars/events?…
    // What the location has, for `clinicctl ghl prepare` and the look at it now and then; they serve none either.
    fields_read,    // GET  /locations/{location}/customFields
    field_create,   // POST /locations/{location}/customFields: one of ours
    tags_read,      // GET  /locations/{location}/tags
    pipelines_read, // GET  /opportunities/pipelines?locationId={location}
    calendars_read, // GET  /calendars/?locationId={location}
    contact_read,   // GET  /contacts/{contact}: was kept what was written?
    // What a patient has beside the contact: an opportunity, and bookings.
    case_create,    // POST /opportunities/
    case_update,    // PUT  /opportunities/{opportunity}
    case_search,    // GET  /opportunities/search?…: the contact's in the configured pipeline
    booking_create, // POST /calendars/events/appointments
    booking_update, // PUT  /calendars/events/appointments/{booking}
    booking_search, // GET  /contacts/{contact}/appointments
    case_read,      // GET  /opportunities/{opportunity}: was it ended, as it was written? Is it there?
    booking_read,   // GET  /calendars/events/appointments/{booking}: was it called off? Is it there?
};
const char* name(Route route);
bool serves_none(Route route);    // no envelope, so no lease: what the location has, and the reads of the polling
bool reads_one(Route route);      // by its id, for the polling: a contact, an opportunity, a booking
bool may_serve_none(Route route); // those, and what the polling reads by its id: contact, opportunity, booking

struct Attempt {
    std::int64_t lease = 0; // 0: it serves no envelope (`may_serve_none`)
    Route route = Route::location_read;
    std::string path; // as it will be sent, with its query where the route has one
    std::string body; // as it will be sent, or empty; no secrets
};

struct StepOutcome {
    std::int64_t attempt = 0;
    enum class Result : std::uint8_t { not_sent, answered, unknown } result = Result::unknown;
    int status = 0; // HTTP status when answered
};

enum class Outcome : std::uint8_t { delivered, retry, dead };

struct Settle {
    std::int64_t lease = 0; // 0: only steps (`serves_none`)
    Outcome outcome = Outcome::delivered;
    std::string code;                // our own code, ^[a-z0-9_]{0,32}$: "throttled", "http_422", …
    int retry_after_ms = 0;          // with retry: not before; 0..86,400,000
    bool counts_against = false;     // a 4xx about its own body: the second one after a look-up kills it
    std::string contact;             // the GHL contact id that was created or found; empty otherwise
    std::string object;              // the same, of the opportunity or the booking
    std::vector<StepOutcome> steps;  // at most 16
    std::optional<Destination> next; // answered by a Lease of it, as of `wait_ms` 0, and not by Settled
};

enum class LaneState : std::uint8_t { up, paused, down };

// What is configured by an id and is not (or no longer) so in GHL.
enum class Part : std::uint8_t { pid, stage, last, next, appt_status, appt_when, pipeline, calendar };
enum class Lack : std::uint8_t {
    unset,   // no id is configured: `clinicctl ghl prepare`
    missing, // the id is not there
    retyped, // it is there, of a type that does not take our words
    options, // its list, or the pipeline's, lacks words that we write
};
const char* name(Part part);
const char* name(Lack lack);
struct LocationFault {
    Part part{};
    Lack lack{};
    friend auto operator<=>(const LocationFault&, const LocationFault&) = default;
};
inline constexpr std::size_t location_faults_max = 16;

// Contacts that were read back after a write, the newest `read_backs_max` at the most.
struct ReadBacks {
    int read = 0, differing = 0; // of those, whose fields or tags are not as they were written
    friend bool operator==(const ReadBacks&, const ReadBacks&) = default;
};
inline constexpr int read_backs_max = 20;

// What GHL's day allows and still has, as GHL last said it, less what was asked since. In steps of a hundredth of a
// day, so that not every request is news.
struct RequestsOfDay {
    std::int64_t max = 0, left = 0;
    friend bool operator==(const RequestsOfDay&, const RequestsOfDay&) = default;
};
inline constexpr std::int64_t requests_of_day_max = 1'000'000'000;

// What clinic-relay told the box since clinic-syncd started, where that is set up.
struct Webhooks {
    bool up = false;            // it is listened to
    std::int64_t told = 0;      // facts that clinicd took
    std::int64_t looked = 0;    // that GHL was asked for
    std::int64_t refused = 0;   // facts that clinicd would not have
    std::int64_t bad = 0;       // no message of the relay's, or with a word that is not configured
    std::int64_t newest_ms = 0; // when the newest was heard; 0: none
    std::int64_t fault_ms = 0;  // the newest of the last two kinds
    friend bool operator==(const Webhooks&, const Webhooks&) = default;
};

struct TimeState {
    bool kernel_synchronised = false;           // adjtimex(2): not STA_UNSYNC
    std::optional<std::int64_t> https_offset_s; // GHL's Date header minus our clock, over verified TLS
    LaneState crm = LaneState::down, mqtt = LaneState::down;
    std::string crm_code; // why it is not up: ^[a-z0-9_]{0,32}$
    std::string mqtt_code;
    std::vector<LocationFault> location; // what GHL's location lacks of what is configured: at most 16, each once
    ReadBacks read_backs;
    std::optional<RequestsOfDay> requests;
    std::optional<Webhooks> webhooks;
    friend bool operator==(const TimeState&, const TimeState&) = default;
};

struct DeviceRequest {}; // asks for one Device frame

// ---- out: clinicd answers ---------------------------------------------------------------------------------------
struct Lease {
    std::int64_t lease = 0; // 0: nothing is due
    std::optional<MetadataEnvelope> envelope;
    std::optional<MetadataEnvelope> also; // the same subject's other state (`companion`): both end with this lease
    std::string contact;                  // the linked GHL contact, or empty
    std::string old_contact;    // contact_merge: the prior's contact; the same as `contact` where it has moved
    std::string object;         // the opportunity of case.state, the booking of booking.state; or empty
    bool create = false;        // no contact and policy `shell`: create one; with case and booking, of those
    bool look_up_first = false; // an earlier attempt's outcome is unknown
    int unsure_ms = 0;          // for so long still a look-up that finds nothing proves nothing
    std::optional<std::vector<Word>> prior_tags; // the tags that GHL holds from us, where that is known
    bool may_lift = false;                       // where it is not: a do-not-contact may be ours, and may be taken away
    int tries = 0;                               // settled with retry so far
    std::string trace;                           // of what it came from, 32 hexadecimal digits; empty: none
    std::int64_t queued_ms = 0;                  // with a trace: so long ago it began to wait
    std::optional<std::int64_t> heard_us;        // with a trace: so long before that its first byte was there
    std::string also_trace;                      // of `also`, where that is another
    std::int64_t also_queued_ms = 0;
    std::optional<std::int64_t> also_heard_us;
};

// dry: it is in the ledger, and nothing is sent; go on as if it had been done.
enum class Answer : std::uint8_t { go, hold, no, dry };
struct Verdict {
    std::int64_t attempt = 0; // the ledger line; in every StepOutcome
    Answer answer = Answer::no;
    std::string code; // ^[a-z0-9_]{0,32}$
};

struct Settled {
    bool known = true;    // false: that lease is not (or no longer) open; nothing was changed
    bool watched = false; // answer to time_state alone: somebody looks at the page
};

// Device health for central ops: dev.health of the schema, and alerts by code. Numbers and enumerations only.
struct Device {
    std::string mode; // ^[a-z-]{1,20}$: running, locked, damaged, full, clock-untrusted, restoring, draining
    std::int64_t uptime_s = 0;
    std::string version;       // semver
    int queue = 0;             // 0..1,000,000 envelopes pending, leased or parked
    std::int64_t oldest_s = 0; // age of the oldest pending one
    int dead = 0;
    int disk_free_percent = 0; // 0..100 in steps of 5
    bool clock_trusted = false, chain_ok = true, contained = false;
    std::string basis; // off, deid, authorized, baa, consumer_consent
    struct Feed {
        std::string feed;
        std::int64_t received = 0, stored = 0, quarantined = 0, refused = 0, duplicate = 0;
        std::int64_t silent_s = -1;
    };
    std::vector<Feed> feeds; // at most 8; names ^[a-z]{1,8}$
    struct Event {
        std::int64_t number = 0;
        std::string code;
        std::string severity;
        std::int64_t at_ms = 0;
    };
    std::vector<Event> events; // not yet reported: at most 32; code ^E[0-9]{4}$
    std::optional<int>
        data_consistency; // whole percent of the contacts that are as they were meant; none: not compared
};
struct DeviceAck {
    std::int64_t event = 0;
}; // in: events up to this number reached the broker

struct Refused {
    std::string code;
}; // out: the frame broke a rule; the connection goes on

using Request = std::variant<LeaseRequest, Attempt, Settle, TimeState, DeviceRequest, DeviceAck, CrmFact, MatchProbe,
                             CrmPolled, CrmWalk>;
using Reply = std::variant<Lease, Verdict, Settled, Device, Refused, FactTaken, Matched, PollTerms, WalkTerms>;

// Out there is one form: a reply other than `encode` would write it is refused. In, the order of keys and spaces are
// free.
std::string encode(const Request& request);
std::string encode(const Reply& reply);
Result<Request> decode_request(std::string_view bytes);
Result<Reply> decode_reply(std::string_view bytes);

// A route's only allowed method, path and body shape (facts/ghl-api §3.6); both sides ask before a byte is sent.
// `prefix` is the tag prefix ("ce-"); ids are the configured custom field ids.
struct WriteRules {
    std::string location;
    std::string tag_prefix = "ce-";
    struct Fields {
        std::string pid, stage, last, next, appt_status, appt_when;
        bool operator==(const Fields&) const = default;
        const std::string& of(Part part) const; // of the first six
        bool complete() const;
    } fields; // all six, or none: then nothing can be written yet
    // What the polling may read, and which words of a lead are kept: all configured, none built in.
    struct Reads {
        std::vector<std::string> calendars, campaigns, sources;
        bool operator==(const Reads&) const = default;
    } reads;
    // The pipeline that patients' opportunities are in. Empty: there are none of ours.
    struct Pipeline {
        std::string id;
        std::array<std::string, 7> stages; // by Stage; an empty one: that word moves nothing
        bool operator==(const Pipeline&) const = default;
        const std::string& of(Stage stage) const { return stages[static_cast<std::size_t>(stage)]; }
    } pipeline;
    bool bookings = false;        // the state of bookings that are appointments of ours is told
    std::string booking_calendar; // where ours are made, and then moved; empty: none are, and no time is told
    bool operator==(const WriteRules&) const = default;
};
const char* method(Route route);
std::string field_name(Part part);    // of the first six, as GHL has it: "ce_stage"
std::string location_name(Part part); // for a person: that, or "pipeline", "calendar"
inline constexpr std::array field_parts{Part::pid,  Part::stage,       Part::last,
                                        Part::next, Part::appt_status, Part::appt_when};
// Whether GHL's list for this field must hold it: all that is ever written there but a year.
std::vector<std::string> field_words(Part part);        // empty: no list, as for `pid`
std::string tag_of(Word word, std::string_view prefix); // recall_due → "ce-recall-due"
bool is_contact_id(std::string_view text);              // ^[A-Za-z0-9_-]{1,64}$, and no word of GHL's own paths
// The reads that stand before a create of an opportunity or a booking: each has one form, in either API's names.
std::string case_search_path(const WriteRules& rules, std::string_view contact);
std::string booking_search_path(std::string_view contact);
std::string quarter_time(std::int64_t quarter); // of a booking, as a body says it: "2026-11-25T09:15:00.000Z"
Result<void> check_request(const WriteRules& rules, Route route, std::string_view path, std::string_view body);

} // namespace clinic::envelope
