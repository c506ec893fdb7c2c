#include "sync/envelope/envelope.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/sync/envelope/samples.h"

namespace clinic::envelope {
namespace {

// What cannot be put into an envelope does not compile.
template <class T>
concept CanBePut = requires(MetadataEnvelope envelope, T value) {
    envelope.put(Field::stage, value);
};
static_assert(CanBePut<Pseudonym> && CanBePut<TimeBucket> && CanBePut<Bucket> && CanBePut<Stage> && CanBePut<Reason>);
static_assert(CanBePut<const Pseudonym> && CanBePut<std::vector<Word>>);
static_assert(!CanBePut<int> && !CanBePut<std::int64_t> && !CanBePut<double> && !CanBePut<bool> && !CanBePut<char>);
static_assert(!CanBePut<const char*> && !CanBePut<std::string> && !CanBePut<std::string_view>);
static_assert(!CanBePut<std::vector<std::string>> && !CanBePut<Word> && !CanBePut<Kind> && !CanBePut<Field>);

template <class T>
concept Named = requires(std::string text) {
    T{text};
};
static_assert(!Named<Pseudonym> && !Named<Word>); // they come from their factories alone

TEST(Envelope, EveryKindSurvivesTheRoundTrip) {
    for (const auto& envelope : samples::all()) {
        const std::string bytes = envelope.encode();
        const auto read = MetadataEnvelope::decode(bytes);
        ASSERT_TRUE(read) << bytes << ": " << read.error().what.c_str();
        EXPECT_EQ(read->encode(), bytes);
        EXPECT_EQ(read->content(), envelope.content());
        EXPECT_EQ(read->sequence(), 7);
        EXPECT_LE(bytes.size(), envelope_bytes_max);
    }
}

TEST(Envelope, IsWrittenInTheOrderOfItsSchema) {
    EXPECT_EQ(samples::contact_state().encode(),
              R"({"v":1,"kind":"contact.state","mid":"m_11111111111111111111111111","site":"s_0123456789",)"
              R"("pid":"p_22222222222222222222222222","seq":7,"stage":"active","tags":["new_patient","recall_due"],)"
              R"("channel":"sms","last":"past","next":"d3_7"})");
}

TEST(Envelope, SaysTheSameUnderAnotherNumber) {
    auto one = samples::contact_state(), other = samples::contact_state();
    other.put(Field::mid, Pseudonym::random('m')).put_sequence(8);
    EXPECT_NE(one.encode(), other.encode());
    EXPECT_EQ(one.content(), other.content());
    other.put(Field::stage, Stage::lapsed);
    EXPECT_NE(one.content(), other.content());
}

TEST(Envelope, KeepsTagsAsASet) {
    const Word due = *Word::parse("recall_due"), back = *Word::parse("returning");
    auto one = samples::contact_state(), other = samples::contact_state();
    one.put(Field::tags, std::vector<Word>{due, back});
    other.put(Field::tags, std::vector<Word>{back, due, back});
    EXPECT_EQ(one.encode(), other.encode());
}

TEST(Envelope, LongestOfAllFits) {
    std::vector<Word> words;
    for (const char* word : vocabulary) words.push_back(*Word::parse(word));
    auto envelope = samples::contact_state();
    envelope.put_sequence(2'147'483'647).put(Field::stage, Stage::recall_due).put(Field::tags, words);
    EXPECT_TRUE(MetadataEnvelope::decode(envelope.encode()));
}

TEST(Envelope, RandomNamesAreWellFormedAndDiffer) {
    std::set<std::string> seen;
    for (int i = 0; i < 1'000; ++i) {
        for (const char letter : {'p', 'a', 'm'}) {
            const auto made = Pseudonym::random(letter);
            EXPECT_TRUE(Pseudonym::parse(made.text(), letter));
            EXPECT_TRUE(seen.insert(made.text()).second);
        }
        auto envelope = samples::contact_suppress();
        EXPECT_TRUE(MetadataEnvelope::decode(envelope.put_site(random_site()).encode()));
    }
}

TEST(TimeBucket, IsABucketOrAYearOfThisCentury) {
    EXPECT_EQ(TimeBucket{}.text(), "none");
    EXPECT_EQ(TimeBucket::year(2026)->text(), "y2026");
    EXPECT_EQ(*TimeBucket::parse("y2026"), *TimeBucket::year(2026));
    EXPECT_EQ(*TimeBucket::parse("m6_plus"), TimeBucket{Bucket::m6_plus});
    EXPECT_FALSE(TimeBucket::year(1999));
    EXPECT_FALSE(TimeBucket::year(2100));
    for (const char* text : {"", "y", "y202", "y20261", "y1999", "2026", "y20a0", "Y2026", "d0-2", "y20 6"})
        EXPECT_FALSE(TimeBucket::parse(text)) << text;
}

TEST(Envelope, RefusesASiteOfAnotherForm) {
    for (const char* site : {"", "s_", "s_012345678", "s_01234567890", "s_01234567 9", "x_0123456789", "s_012345678L",
                             "s_012345678\"", "Main Street"}) {
        auto envelope = samples::contact_suppress();
        EXPECT_FALSE(MetadataEnvelope::decode(envelope.put_site(site).encode())) << site;
    }
}

// A part of a good envelope, and what stands in its place.
struct Damage {
    const char* what;
    std::string (*good)();
    const char* part;
    const char* instead;
};

std::string contact() {
    return samples::contact_state().encode();
}
std::string appointment() {
    return samples::appt_state().encode();
}
std::string consent() {
    return samples::consent_state().encode();
}
std::string suppression() {
    return samples::contact_suppress().encode();
}
std::string merge() {
    return samples::contact_merge().encode();
}

std::string opportunity() {
    return samples::case_state().encode();
}
std::string booking() {
    return samples::booking_with_slot().encode();
}

const Damage damages[] = {
    {"no object", contact, R"({"v":1)", R"(["v",1)"},
    {"another version", contact, R"("v":1)", R"("v":2)"},
    {"a version as text", contact, R"("v":1)", R"("v":"1")"},
    {"a version as a fraction", contact, R"("v":1)", R"("v":1.0)"},
    {"no version", contact, R"("v":1,)", ""},
    {"an unknown kind", contact, "contact.state", "contact.named"},
    {"the kind of another schema", contact, "contact.state", "appt.state"},
    {"a kind of central ops", contact, "contact.state", "dev.health"},
    {"a kind that is a number", contact, R"("contact.state")", "1"},
    {"an unknown field", contact, R"("seq":7)", R"("seq":7,"name":"Anna")"},
    {"a field of another kind", contact, R"("seq":7)", R"("seq":7,"reason":"revoked")"},
    {"a time stamp", contact, R"("seq":7)", R"("seq":7,"at":"2026-11-21T10:00:00Z")"},
    {"a field twice", contact, R"("seq":7)", R"("seq":7,"seq":7)"},
    {"a missing field", contact, R"(,"channel":"sms")", ""},
    {"a missing pid", contact, R"("pid":"p_22222222222222222222222222",)", ""},
    {"a missing mid", contact, R"("mid":"m_11111111111111111111111111",)", ""},
    {"fields in another order", contact, R"("seq":7,"stage":"active")", R"("stage":"active","seq":7)"},
    {"a space", contact, R"("seq":7)", R"("seq": 7)"},
    {"a line end", contact, R"("next":"d3_7"})", "\"next\":\"d3_7\"}\n"},
    {"an escape", contact, R"("sms")", R"("s\u006ds")"},
    {"a null", contact, R"("sms")", "null"},
    {"an empty word", contact, R"("sms")", R"("")"},
    {"a word of another list", contact, R"("sms")", R"("post")"},
    {"a word in capitals", contact, R"("sms")", R"("SMS")"},
    {"a bucket that is finer", contact, R"("d3_7")", R"("d5")"},
    {"a date for a bucket", contact, R"("d3_7")", R"("2026-11-28")"},
    {"a year before 2000", contact, R"("d3_7")", R"("y1999")"},
    {"a year beside a bucket", contact, R"("d3_7")", R"("y2026")"},
    {"a pid with another letter", contact, "p_2", "a_2"},
    {"a pid that is too short", contact, "p_22", "p_2"},
    {"a pid that is too long", contact, "p_22", "p_222"},
    {"a pid with a letter that is no digit", contact, "p_22", "p_U2"},
    {"a pid in small letters", contact, "p_22", "p_a2"},
    {"a pid that is more than ASCII", contact, "p_222", "p_2\xC3\xA9"},
    {"a sequence below zero", contact, R"("seq":7)", R"("seq":-7)"},
    {"a sequence beyond its bound", contact, R"("seq":7)", R"("seq":2147483648)"},
    {"a sequence beyond 64 bits", contact, R"("seq":7)", R"("seq":99999999999999999999)"},
    {"a sequence as a fraction", contact, R"("seq":7)", R"("seq":7.5)"},
    {"a sequence with an exponent", contact, R"("seq":7)", R"("seq":7e0)"},
    {"a sequence as text", contact, R"("seq":7)", R"("seq":"7")"},
    {"a tag of nobody's list", contact, R"("recall_due")", R"("root_canal")"},
    {"a tag twice", contact, R"("recall_due")", R"("new_patient")"},
    {"tags in another order", contact, R"("new_patient","recall_due")", R"("recall_due","new_patient")"},
    {"tags that are no list", contact, R"(["new_patient","recall_due"])", R"("new_patient")"},
    {"a tag inside a tag", contact, R"("recall_due")", R"(["recall_due"])"},
    {"an object for a word", contact, R"("sms")", R"({"a":1})"},
    {"an appointment without its aid", appointment, R"("aid":"a_33333333333333333333333333",)", ""},
    {"an appointment without its visit", appointment, R"("visit":"first",)", ""},
    {"a year beside a visit", appointment, "d8_30", "y2026"},
    {"an appointment status of the store", appointment, "booked", "entered_in_error"},
    {"a revision of zero", consent, R"("rev":2)", R"("rev":0)"},
    {"a revision beyond its bound", consent, R"("rev":2)", R"("rev":10000)"},
    {"a scope of nobody's list", consent, "reminders", "research"},
    {"a reason in words", suppression, "revoked", "patient asked"},
    {"a merge with itself", merge, "p_44444444444444444444444444", "p_22222222222222222222222222"},
    {"a case without its outcome", opportunity, R"(,"outcome":"open")", ""},
    {"a case that is lost in words", opportunity, R"("open")", R"("moved away")"},
    {"a case with a value", opportunity, R"("outcome":"open")", R"("outcome":"open","value":250)"},
    {"a booking without its aid", booking, R"("aid":"a_33333333333333333333333333",)", ""},
    {"a booking in the clinic's words", booking, "confirmed", "no_show"},
    {"a booking with its beginning alone", booking, R"(,"until":1994730)", ""},
    {"a booking with its end alone", booking, R"("from":1994728,)", ""},
    {"a booking that ends before it begins", booking, "1994730", "1994727"},
    {"a booking of no length", booking, "1994730", "1994728"},
    {"a booking of three weeks", booking, "1994730", "1996744"},
    {"a time that is finer", booking, "1994728", "1994728.5"},
    {"a time with zeros before it", booking, "1994728", "01994728"},
    {"a time as a date", booking, "1994728", R"("2026-11-28T09:00:00Z")"},
    {"a merge without the old one", merge, R"("old":"p_44444444444444444444444444",)", ""},
    {"something behind it", contact, R"("next":"d3_7"})", R"("next":"d3_7"}{})"},
    {"a comment", contact, R"("seq":7)", R"("seq":/* Anna */7)"},
};

TEST(Envelope, RefusesWhatBreaksItsSchema) {
    for (const Damage& damage : damages) {
        std::string bytes = damage.good();
        const std::size_t at = bytes.find(damage.part);
        ASSERT_NE(at, std::string::npos) << damage.what;
        bytes.replace(at, std::string_view{damage.part}.size(), damage.instead);
        const auto read = MetadataEnvelope::decode(bytes);
        ASSERT_FALSE(read) << damage.what << ": " << bytes;
        EXPECT_EQ(read.error().code, Errc::refused) << damage.what;
    }
}

TEST(Envelope, RefusesWhatIsNoEnvelopeAtAll) {
    const std::string deep(200, '['), long_one(envelope_bytes_max + 1, ' ');
    for (const std::string& bytes : {std::string{}, std::string{"{}"}, std::string{"null"}, std::string{"MSH|^~\\&|"},
                                     std::string{"\xFF\xFE"}, deep, long_one, contact().substr(0, 40)})
        EXPECT_FALSE(MetadataEnvelope::decode(bytes));
}

} // namespace
} // namespace clinic::envelope
