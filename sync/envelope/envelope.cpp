#include "sync/envelope/envelope.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <nlohmann/json.hpp>
#include <span>

#include "crypto/base/json.h"
#include "sync/envelope/closed_object.h"
#include "sync/envelope/names.h"
#include "sync/envelope/read_envelope.h"

namespace clinic::envelope {
namespace {

constexpr std::int64_t sequence_max = 2'147'483'647;
constexpr std::int64_t revision_max = 9'999;

// facts/health-interop §7: the fields of each kind, in the order in which they are written.
std::span<const Field> schema(Kind kind) {
    using enum Field;
    static constexpr Field contact_state[] = {mid, site, pid, seq, stage, tags, channel, last, next};
    static constexpr Field appt_state[] = {mid, site, pid, aid, seq, status, visit, when};
    static constexpr Field consent_state[] = {mid, site, pid, seq, scope, state, rev};
    static constexpr Field contact_suppress[] = {mid, site, pid, seq, reason};
    static constexpr Field contact_merge[] = {mid, site, pid, old, seq};
    static constexpr Field case_state[] = {mid, site, pid, seq, stage, outcome};
    static constexpr Field booking_state[] = {mid, site, pid, aid, seq, booking, from, until};
    switch (kind) {
    case Kind::contact_state: return contact_state;
    case Kind::appt_state: return appt_state;
    case Kind::consent_state: return consent_state;
    case Kind::contact_suppress: return contact_suppress;
    case Kind::contact_merge: return contact_merge;
    case Kind::case_state: return case_state;
    case Kind::booking_state: return booking_state;
    }
    return {};
}

std::size_t at(Field field) {
    return static_cast<std::size_t>(field);
}

bool is_number(Field field) {
    return field == Field::seq || field == Field::rev || field == Field::from || field == Field::until;
}

// The letter of a field that holds a pseudonym; 0 for the others.
char letter(Field field) {
    switch (field) {
    case Field::mid: return 'm';
    case Field::pid:
    case Field::old: return 'p';
    case Field::aid: return 'a';
    default: return 0;
    }
}

bool is_time(Field field) {
    return field == Field::last || field == Field::next || field == Field::when;
}

bool is_year(std::string_view text) {
    return text.starts_with('y');
}

std::vector<Word> read_tags(ObjectReader& reader) {
    std::vector<Word> tags;
    for (const std::string& text : reader.texts("tags", vocabulary.size())) {
        const auto word = Word::parse(text);
        if (!word)
            reader.refuse("a tag is not of the approved vocabulary");
        else if (!tags.empty() && !(tags.back() < *word))
            reader.refuse("the tags are not sorted, each once");
        else
            tags.push_back(*word);
    }
    return tags;
}

void read_field(ObjectReader& reader, Field field, MetadataEnvelope& envelope) {
    const char* key = name_of(field);
    const auto time = [&] {
        const auto bucket = TimeBucket::parse(
            reader.text(key, [](std::string_view text) { return TimeBucket::parse(text).has_value(); }));
        envelope.put(field, bucket.value_or(TimeBucket{}));
    };
    const auto pseudonym = [&](TextRule rule) {
        if (const auto value = Pseudonym::parse(reader.text(key, rule), letter(field))) envelope.put(field, *value);
    };
    switch (field) {
    case Field::mid: return pseudonym([](std::string_view text) { return is_pseudonym(text, 'm'); });
    case Field::pid:
    case Field::old: return pseudonym([](std::string_view text) { return is_pseudonym(text, 'p'); });
    case Field::aid: return pseudonym([](std::string_view text) { return is_pseudonym(text, 'a'); });
    case Field::last:
    case Field::next:
    case Field::when: return time();
    case Field::site: envelope.put_site(reader.text(key, is_site)); break;
    case Field::seq: envelope.put_sequence(reader.integer(key, 0, sequence_max)); break;
    case Field::rev: envelope.put_revision(reader.small(key, 1, static_cast<int>(revision_max))); break;
    case Field::tags: envelope.put(field, read_tags(reader)); break;
    case Field::stage: envelope.put(field, reader.choice<Stage>(key)); break;
    case Field::channel: envelope.put(field, reader.choice<Channel>(key)); break;
    case Field::status: envelope.put(field, reader.choice<ApptStatus>(key)); break;
    case Field::visit: envelope.put(field, reader.choice<Visit>(key)); break;
    case Field::scope: envelope.put(field, reader.choice<Scope>(key)); break;
    case Field::state: envelope.put(field, reader.choice<Grant>(key)); break;
    case Field::reason: envelope.put(field, reader.choice<Reason>(key)); break;
    case Field::outcome: envelope.put(field, reader.choice<Case>(key)); break;
    case Field::booking: envelope.put(field, reader.choice<Booking>(key)); break;
    case Field::from:
    case Field::until: break; // read together: `read_slot`
    }
}

// The time of a booking, or none: then GHL's own stands.
void read_slot(ObjectReader& reader, MetadataEnvelope& envelope) {
    if (!reader.has("from")) return;
    const auto from = reader.integer("from", 0, quarter_max), until = reader.integer("until", 0, quarter_max);
    const bool is_slot = from < until && until - from <= slot_quarters_max;
    reader.require(is_slot, "a booking that ends before it begins, or is longer than 14 days");
    if (is_slot) envelope.put_slot(from, until);
}

bool may_be_absent(Field field) {
    return field == Field::visit || field == Field::from || field == Field::until;
}

// In `deid` mode times are years or `none`, and an appointment says its status and year alone.
void check_years(ObjectReader& reader, const MetadataEnvelope& envelope) {
    if (envelope.kind() == Kind::contact_state) {
        const std::string_view last = envelope.text(Field::last), next = envelope.text(Field::next);
        const bool mixed =
            (is_year(last) && next != "none" && !is_year(next)) || (is_year(next) && last != "none" && !is_year(last));
        reader.require(!mixed, "a year and a finer time in one envelope");
    }
    if (envelope.kind() == Kind::appt_state) {
        const bool year = is_year(envelope.text(Field::when)), said = !envelope.text(Field::visit).empty();
        const bool none = envelope.text(Field::when) == "none";
        reader.require(!(year && said), "a visit beside a year");
        reader.require(year || none || said, "a visit is missing");
    }
}

} // namespace

MetadataEnvelope& MetadataEnvelope::put_text(Field field, std::string value) {
    assert(std::ranges::count(schema(kind_), field) == 1);
    values_[at(field)] = std::move(value);
    return *this;
}

MetadataEnvelope& MetadataEnvelope::put(Field field, const Pseudonym& value) {
    assert(value.text().front() == letter(field));
    return put_text(field, value.text());
}

MetadataEnvelope& MetadataEnvelope::put(Field field, TimeBucket value) {
    assert(is_time(field));
    return put_text(field, value.text());
}

MetadataEnvelope& MetadataEnvelope::put(Field field, Stage value) {
    assert(field == Field::stage);
    return put_text(field, name(value));
}

MetadataEnvelope& MetadataEnvelope::put(Field field, Channel value) {
    assert(field == Field::channel);
    return put_text(field, name(value));
}

MetadataEnvelope& MetadataEnvelope::put(Field field, ApptStatus value) {
    assert(field == Field::status);
    return put_text(field, name(value));
}

MetadataEnvelope& MetadataEnvelope::put(Field field, Visit value) {
    assert(field == Field::visit);
    return put_text(field, name(value));
}

MetadataEnvelope& MetadataEnvelope::put(Field field, Scope value) {
    assert(field == Field::scope);
    return put_text(field, name(value));
}

MetadataEnvelope& MetadataEnvelope::put(Field field, Grant value) {
    assert(field == Field::state);
    return put_text(field, name(value));
}

MetadataEnvelope& MetadataEnvelope::put(Field field, Reason value) {
    assert(field == Field::reason);
    return put_text(field, name(value));
}

MetadataEnvelope& MetadataEnvelope::put(Field field, Case value) {
    assert(field == Field::outcome);
    return put_text(field, name(value));
}

MetadataEnvelope& MetadataEnvelope::put(Field field, Booking value) {
    assert(field == Field::booking);
    return put_text(field, name(value));
}

MetadataEnvelope& MetadataEnvelope::put(Field field, const std::vector<Word>& words) {
    assert(field == Field::tags && kind_ == Kind::contact_state);
    tags_ = words;
    std::ranges::sort(tags_);
    tags_.erase(std::unique(tags_.begin(), tags_.end()), tags_.end());
    return *this;
}

MetadataEnvelope& MetadataEnvelope::put_sequence(std::int64_t value) {
    assert(value >= 0 && value <= sequence_max);
    return put_text(Field::seq, std::to_string(value));
}

MetadataEnvelope& MetadataEnvelope::put_revision(int value) {
    assert(value >= 1 && value <= revision_max);
    return put_text(Field::rev, std::to_string(value));
}

MetadataEnvelope& MetadataEnvelope::put_slot(std::int64_t from, std::int64_t until) {
    assert(from >= 0 && from < until && until <= quarter_max && until - from <= slot_quarters_max);
    return put_text(Field::from, std::to_string(from)).put_text(Field::until, std::to_string(until));
}

MetadataEnvelope& MetadataEnvelope::put_site(std::string_view site) {
    return put_text(Field::site, std::string{site});
}

std::string_view MetadataEnvelope::text(Field field) const {
    return values_[at(field)];
}

std::vector<Word> MetadataEnvelope::tags() const {
    return tags_;
}

std::int64_t MetadataEnvelope::number(Field field) const {
    const std::string_view digits = text(field);
    std::int64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

std::int64_t MetadataEnvelope::sequence() const {
    return number(Field::seq);
}

std::optional<std::pair<std::int64_t, std::int64_t>> MetadataEnvelope::slot() const {
    if (text(Field::from).empty()) return std::nullopt;
    return std::pair{number(Field::from), number(Field::until)};
}

std::string MetadataEnvelope::written(bool with_numbering) const {
    ObjectWriter writer;
    writer.integer("v", 1).text("kind", name(kind_));
    for (const Field field : schema(kind_)) {
        if (!with_numbering && (field == Field::mid || field == Field::seq)) continue;
        const std::string& value = values_[at(field)];
        if (field == Field::tags) {
            std::vector<std::string> words;
            for (const Word word : tags_) words.push_back(quoted(word.text()));
            writer.list("tags", words);
        } else if (!value.empty()) {
            is_number(field) ? writer.written(name_of(field), value) : writer.text(name_of(field), value);
        }
    }
    return writer.str();
}

std::string MetadataEnvelope::encode() const {
    return written(true);
}

std::string MetadataEnvelope::content() const {
    return written(false);
}

MetadataEnvelope read_envelope(ObjectReader& reader) {
    reader.integer("v", 1, 1);
    MetadataEnvelope envelope{reader.choice<Kind>("kind")};
    for (const Field field : schema(envelope.kind()))
        if (!may_be_absent(field) || reader.has(name_of(field))) read_field(reader, field, envelope);
    if (envelope.kind() == Kind::booking_state) read_slot(reader, envelope);
    check_years(reader, envelope);
    const bool itself =
        envelope.kind() == Kind::contact_merge && envelope.text(Field::pid) == envelope.text(Field::old);
    reader.require(!itself, "a merge of a pseudonym with itself");
    return envelope;
}

Result<MetadataEnvelope> MetadataEnvelope::decode(std::string_view bytes) {
    auto parsed = base::parse_json(bytes, envelope_bytes_max, 2);
    if (!parsed) return Error{Errc::refused, parsed.error().what};
    ObjectReader reader{*parsed};
    MetadataEnvelope envelope = read_envelope(reader);
    CLINIC_TRY(reader.done());
    if (envelope.encode() != bytes) return Error{Errc::refused, "the envelope is not in its one written form"};
    return envelope;
}

bool wants_object(const MetadataEnvelope& envelope) {
    if (envelope.kind() == Kind::case_state) return envelope.text(Field::outcome) == name(Case::open);
    return envelope.kind() == Kind::booking_state && envelope.text(Field::booking) != name(Booking::cancelled);
}

} // namespace clinic::envelope
