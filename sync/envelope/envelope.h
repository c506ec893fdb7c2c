// The only vocabulary that leaves: closed objects of integers and enumerations, ASCII, at most 1,024 bytes.
//   Form:    JSON, keys in the order of the schema, depth at most 2; docs/envelope.md.
//   Errors:  refused, with the rule that was broken; never with content.
//   Threads: values; any.
//   Source:  facts/health-interop §7 as changed by the design, "What may leave".
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "crypto/base/result.h"

namespace clinic::envelope {

inline constexpr std::size_t envelope_bytes_max = 1'024;

enum class Destination : std::uint8_t { crm, ops };
enum class Kind : std::uint8_t {
    contact_state,
    appt_state,
    consent_state,
    contact_suppress,
    contact_merge,
    case_state,   // the patient's opportunity in a pipeline of GHL
    booking_state // an appointment as a booking in a calendar of GHL
};
enum class Stage : std::uint8_t { lead, new_, active, recall_due, lapsed, inactive, archived };
enum class Channel : std::uint8_t { sms, email, phone, none };
enum class ApptStatus : std::uint8_t {
    requested,
    booked,
    confirmed,
    arrived,
    completed,
    cancelled,
    no_show,
    rescheduled
};
enum class Visit : std::uint8_t { first, repeat, other };
enum class Scope : std::uint8_t { crm_sync, reminders, marketing };
enum class Grant : std::uint8_t { granted, revoked, expired };
enum class Reason : std::uint8_t { revoked, expired, erased, restricted };
enum class Bucket : std::uint8_t { none, past, d0_2, d3_7, d8_30, m1_3, m3_6, m6_plus };
enum class Booking : std::uint8_t { new_, confirmed, cancelled, showed, noshow, invalid }; // GHL's appointmentStatus
enum class Case : std::uint8_t { open, won, lost, abandoned };                             // GHL's opportunity status

const char* name(Destination value);
const char* name(Kind value); // "contact.state" …
const char* name(Stage value);
const char* name(Channel value);
const char* name(ApptStatus value);
const char* name(Visit value);
const char* name(Scope value);
const char* name(Grant value);
const char* name(Reason value);
const char* name(Bucket value);
const char* name(Booking value);
const char* name(Case value);

inline constexpr std::int64_t quarter_ms = 900'000, quarter_us = 1'000 * quarter_ms;
inline constexpr std::int64_t quarter_max = 4'558'272;         // of an hour since 1970: the year 2100
inline constexpr std::int64_t slot_quarters_max = 14 * 24 * 4; // longer ones are no appointment

// The two states of a subject: they say different fields, and go out in one request where both wait. Nothing: it goes
// by itself.
std::optional<Kind> companion(Kind kind);
// Whether it is about something that a patient has in GHL beside the contact: an opportunity, a booking.
bool is_beside(Kind kind);

// A pseudonym: one letter, '_', and Crockford base 32 of 128 random bits (26 digits). Never derived from anything.
class Pseudonym {
public:
    static Pseudonym random(char letter); // 'p' patient, 'a' appointment, 'm' message
    static std::optional<Pseudonym> parse(std::string_view text, char letter);
    const std::string& text() const { return text_; }
    friend bool operator==(const Pseudonym&, const Pseudonym&) = default;

private:
    explicit Pseudonym(std::string text) : text_{std::move(text)} {}
    std::string text_;
};

// `none`, a bucket, or in `deid` mode a year and nothing finer.
class TimeBucket {
public:
    TimeBucket() = default;
    TimeBucket(Bucket bucket) : bucket_{bucket} {}
    static std::optional<TimeBucket> year(int year); // 2000..2099
    static std::optional<TimeBucket> parse(std::string_view text);
    std::string text() const; // "d3_7", "y2026"
    bool is_year() const { return year_ != 0; }
    friend bool operator==(const TimeBucket&, const TimeBucket&) = default;

private:
    Bucket bucket_ = Bucket::none;
    int year_ = 0;
};

// A word of the approved vocabulary. The built-in list; a clinic's own come with configuration.
class Word {
public:
    static std::optional<Word> parse(std::string_view text); // must be in the vocabulary
    const char* text() const;
    friend auto operator<=>(const Word&, const Word&) = default;

private:
    explicit Word(std::uint8_t index) : index_{index} {}
    std::uint8_t index_;
};
inline constexpr std::array<const char*, 8> vocabulary{"new_patient",   "returning", "recall_due",  "lapsed_12m",
                                                       "forms_pending", "review_ok", "referral_ok", "do_not_contact"};

enum class Field : std::uint8_t {
    mid,
    site,
    pid,
    aid,
    old,
    seq,
    stage,
    tags,
    channel,
    last,
    next,
    status,
    visit,
    when,
    scope,
    state,
    rev,
    reason,
    outcome,
    booking,
    from,
    until
};

// What `put` takes by reference; anything else must be one of the by-value types exactly.
template <class T>
concept PassedByReference =
    std::same_as<std::remove_cvref_t<T>, Pseudonym> || std::same_as<std::remove_cvref_t<T>, std::vector<Word>>;

// A site's random name, made once per clinic: "s_" and ten digits.
std::string random_site();

// Built by release alone; decoded and checked at every border it crosses.
class MetadataEnvelope {
public:
    explicit MetadataEnvelope(Kind kind) : kind_{kind} {}

    MetadataEnvelope& put(Field field, const Pseudonym& value);
    MetadataEnvelope& put(Field field, TimeBucket value);
    MetadataEnvelope& put(Field field, Bucket value) { return put(field, TimeBucket{value}); }
    MetadataEnvelope& put(Field field, Stage value);
    MetadataEnvelope& put(Field field, Channel value);
    MetadataEnvelope& put(Field field, ApptStatus value);
    MetadataEnvelope& put(Field field, Visit value);
    MetadataEnvelope& put(Field field, Scope value);
    MetadataEnvelope& put(Field field, Grant value);
    MetadataEnvelope& put(Field field, Reason value);
    MetadataEnvelope& put(Field field, Case value);
    MetadataEnvelope& put(Field field, Booking value);
    MetadataEnvelope& put(Field field, const std::vector<Word>& words); // a set: kept sorted, each once; at most 8
    MetadataEnvelope& put_sequence(std::int64_t value);                 // 0..2^31-1
    MetadataEnvelope& put_revision(int value);                          // 1..9999
    // Of a booking whose time is told: quarters of an hour since 1970, `from` before `until`.
    MetadataEnvelope& put_slot(std::int64_t from, std::int64_t until);
    MetadataEnvelope& put_site(std::string_view site); // ^s_[0-9A-HJKMNP-TV-Z]{10}$, else the check refuses
    template <class T>
    requires(!PassedByReference<T>) MetadataEnvelope& put(Field, T&&) = delete; // bare numbers, text and Phi stop here

    Kind kind() const { return kind_; }
    // The word, pseudonym, bucket or enumeration as it is written; empty when absent.
    std::string_view text(Field field) const;
    std::vector<Word> tags() const;
    std::int64_t sequence() const;
    std::optional<std::pair<std::int64_t, std::int64_t>> slot() const; // from, until

    std::string encode() const;
    // Closed schema of its kind: an unknown, missing, doubled or ill-formed field is a refusal, and so are bytes
    // other than those that `encode` would write: there is one form, and no room to hide a bit in another.
    static Result<MetadataEnvelope> decode(std::string_view bytes);
    // What `encode` would write, without `mid` and `seq`: two envelopes with the same content say the same.
    std::string content() const;

private:
    MetadataEnvelope& put_text(Field field, std::string value);
    std::int64_t number(Field field) const;
    std::string written(bool with_numbering) const;
    Kind kind_;
    std::array<std::string, 22> values_{};
    std::vector<Word> tags_;
};

// Whether it wants its opportunity or its booking to be there; otherwise it ends it, and one that is gone needs no end.
bool wants_object(const MetadataEnvelope& envelope);

} // namespace clinic::envelope
