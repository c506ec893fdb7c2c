// What is told of GHL: facts about contacts, appointments, opportunities and the location, already stripped to the
// allow-list; and the one question that holds an identifier, `match_probe`.
//   Units:   times in milliseconds UTC as GHL says them; slots in whole quarters of an hour since 1970.
//   Bounds:  one fact a frame; 8 campaigns; ids as a contact's.
//   Rules:   docs/egress.md, "crm_fact", "match_probe", "crm_polled", "crm_walk". Both sides check.
//   Threads: values; any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "crypto/base/result.h"
#include "sync/envelope/envelope.h"

namespace clinic::envelope {

enum class CrmKind : std::uint8_t { contact, appointment, opportunity, location };
const char* name(CrmKind kind);

inline constexpr std::size_t campaigns_max = 8;
inline constexpr std::int64_t crm_ms_max = 4'102'444'800'000; // the year 2100

// Our own fields as GHL holds them; a value that is none of the field's own words is empty, as one that is not there.
struct CrmContact {
    std::string pid, stage, last, next, appt_status, appt_when;
    bool dnd = false;
    std::vector<Word> tags;             // those with our prefix, each once, in the vocabulary's order
    std::vector<std::string> campaigns; // words of the configured list, sorted, each once
    std::string source;                 // a word of the configured list, or empty
    friend bool operator==(const CrmContact&, const CrmContact&) = default;
};
struct CrmAppointment {
    std::string contact, calendar; // GHL's ids
    Booking status = Booking::new_;
    std::int64_t from_quarter = 0, until_quarter = 0; // outwards: a slot never looks shorter than it is
    friend bool operator==(const CrmAppointment&, const CrmAppointment&) = default;
};
struct CrmOpportunity {
    std::string contact, pipeline, stage; // GHL's ids
    Case status = Case::open;
    friend bool operator==(const CrmOpportunity&, const CrmOpportunity&) = default;
};
struct CrmLocation {
    std::string zone; // IANA name
    friend bool operator==(const CrmLocation&, const CrmLocation&) = default;
};

struct CrmFact {
    std::string id;
    CrmKind kind = CrmKind::contact;
    std::int64_t updated_ms = 0; // GHL's dateUpdated; 0: not said
    std::int64_t read_ms = 0;    // when it was read, or sent to us
    // Nothing: it has been deleted. Otherwise the kind's own.
    std::variant<std::monostate, CrmContact, CrmAppointment, CrmOpportunity, CrmLocation> said;
    bool deleted() const { return said.index() == 0; }
    friend bool operator==(const CrmFact&, const CrmFact&) = default;
};

enum class Taken : std::uint8_t { stored, known, stale, after_delete, refused };
const char* name(Taken taken);
struct FactTaken {
    Taken taken = Taken::refused;
    bool probe = false; // a contact that nobody is known to be: its identifiers may be asked about, once
};

// Passed once, compared and forgotten. At least one of phone and email.
struct MatchProbe {
    std::string contact;
    std::string phone;    // E.164, or empty
    std::string national; // the same number's digits as they are dialled within the clinic's own country, or empty
    std::string email;    // small letters, or empty
};
enum class Match : std::uint8_t { none, linked, choice, refused };
const char* name(Match match);
struct Matched {
    Match match = Match::refused;
};

// After each round of polling, and before the first: how it went; answered by what may be asked.
struct CrmPolled {
    std::string code;          // ^[a-z0-9_]{0,32}$; empty: it was complete
    std::int64_t requests = 0; // of the round, 0..100,000
    // All that GHL lists of them has been told since then, known or not; 0: that is not known.
    std::int64_t opportunities_ms = 0, bookings_ms = 0;
};
struct PollTerms {
    bool probing = false; // identifiers may be read and passed as probes
};

// The full comparison, and what no list has shown for long, a step at a time: what has been done since the last answer,
// and what comes next.
struct CrmWalk {
    std::int64_t walk = 0;       // the number of the answer that is followed; 0: none yet
    std::int64_t reached_ms = 0; // `read`: all contacts that were updated until then have been told
    bool whole = false;          // the last page was among them
    CrmKind kind = CrmKind::contact;
    std::string looked;        // `look`: that one of `kind` was read by itself, and told
    bool absent = false;       // GHL has none of that id
    std::int64_t requests = 0; // 0..100,000
};
enum class WalkStep : std::uint8_t {
    rest,  // nothing is to be done
    read,  // pages of contacts, by dateUpdated, from `from_ms` on
    look,  // one of `kind` by itself
    go_on, // ask again: clinicd compares a slice at a time
};
const char* name(WalkStep step);
struct WalkTerms {
    WalkStep step = WalkStep::rest;
    std::int64_t walk = 0; // 0: it is looked at outside of one
    std::int64_t from_ms = 0;
    bool quiet = false; // not in the clinic's hours
    CrmKind kind = CrmKind::contact;
    std::string id; // of `look` alone
};

bool is_campaign(std::string_view text); // ^[a-z0-9][a-z0-9-]{0,31}$
bool is_zone(std::string_view text);     // ^[A-Za-z0-9_+/-]{1,40}$

// What of a fact is compared and stored: as it is written in its frame, without id and times.
std::string content_of(const CrmFact& fact);
Result<CrmFact> fact_from(std::string_view content); // the same back; id and times are empty

} // namespace clinic::envelope
