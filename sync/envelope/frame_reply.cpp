#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "crypto/base/json.h"
#include "sync/envelope/closed_object.h"
#include "sync/envelope/frame.h"
#include "sync/envelope/frame_crm.h"
#include "sync/envelope/names.h"
#include "sync/envelope/read_envelope.h"

namespace clinic::envelope {
namespace {

constexpr int unsure_ms_max = 86'400'000;
constexpr int tries_max = 1'000'000;
constexpr int queue_max = 1'000'000;
constexpr std::size_t feeds_max = 8;
constexpr std::size_t events_max = device_events_max;
constexpr std::int64_t at_ms_max = 4'102'444'800'000; // the year 2100

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<const char*, N>& words) {
    return std::ranges::find(words, text) != words.end();
}

bool is_mode(std::string_view text) {
    return is_one_of(
        text, std::to_array({"running", "locked", "damaged", "full", "clock-untrusted", "restoring", "draining"}));
}

bool is_basis(std::string_view text) {
    return is_one_of(text, std::to_array({"off", "deid", "authorized", "baa", "consumer_consent"}));
}

bool is_severity(std::string_view text) {
    return is_one_of(text, std::to_array({"info", "warn", "error", "critical"}));
}

bool is_feed(std::string_view text) {
    return !text.empty() && text.size() <= 8 && only(text, "", false, true, false);
}

bool is_event_code(std::string_view text) {
    return text.size() == 5 && text[0] == 'E' && only(text.substr(1), "", false, false, true);
}

// Three numbers with dots, and nothing behind them: room for a version, not for text.
bool is_version(std::string_view text) {
    int dots = 0;
    bool digit_before = false;
    for (const char c : text) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit && !(c == '.' && digit_before)) return false;
        dots += digit ? 0 : 1;
        digit_before = digit;
    }
    return dots == 2 && digit_before && text.size() <= 14;
}

bool is_contact_or_empty(std::string_view text) {
    return text.empty() || is_contact_id(text);
}

bool is_trace(std::string_view text) {
    constexpr std::string_view hexadecimal = "0123456789abcdef";
    return text.size() == 32 && text.find_first_not_of(hexadecimal) == std::string_view::npos &&
           text.find_first_not_of('0') != std::string_view::npos;
}

ObjectWriter frame(const char* name) {
    ObjectWriter writer;
    writer.integer("v", 1).text("frame", name);
    return writer;
}

void write_traces(ObjectWriter& writer, const Lease& lease) {
    if (!lease.trace.empty()) {
        writer.text("trace", lease.trace).integer("queued_ms", lease.queued_ms);
        if (lease.heard_us) writer.integer("heard_us", *lease.heard_us);
    }
    if (lease.also_trace.empty()) return;
    writer.text("also_trace", lease.also_trace).integer("also_queued_ms", lease.also_queued_ms);
    if (lease.also_heard_us) writer.integer("also_heard_us", *lease.also_heard_us);
}

std::string write(const Lease& lease) {
    ObjectWriter writer = frame("lease");
    writer.integer("lease", lease.lease);
    if (!lease.envelope) return writer.str();
    writer.written("envelope", lease.envelope->encode());
    if (lease.also) writer.written("also", lease.also->encode());
    writer.text("contact", lease.contact).text("old_contact", lease.old_contact);
    if (!lease.object.empty()) writer.text("object", lease.object);
    writer.boolean("create", lease.create)
        .boolean("look_up_first", lease.look_up_first)
        .integer("unsure_ms", lease.unsure_ms);
    if (lease.prior_tags) {
        std::vector<std::string> words;
        for (const Word word : *lease.prior_tags) words.push_back(quoted(word.text()));
        writer.list("prior_tags", words);
    }
    if (lease.may_lift) writer.boolean("may_lift", true);
    writer.integer("tries", lease.tries);
    write_traces(writer, lease);
    return writer.str();
}

// Two envelopes in one lease are the two states of one subject.
void read_also(ObjectReader& reader, Lease& lease) {
    reader.object("also", [&](ObjectReader& inner) { lease.also = read_envelope(inner); });
    if (!lease.envelope || !lease.also) return;
    reader.require(companion(lease.envelope->kind()) == lease.also->kind(), "two envelopes that go apart");
    for (const Field field : {Field::pid, Field::site})
        reader.require(lease.envelope->text(field) == lease.also->text(field), "two subjects in one lease");
}

void read_traces(ObjectReader& reader, Lease& lease) {
    if (reader.has("trace")) {
        lease.trace = reader.text("trace", is_trace);
        lease.queued_ms = reader.integer("queued_ms", 0, integer_max);
        if (reader.has("heard_us")) lease.heard_us = reader.integer("heard_us", 0, heard_us_max);
    }
    if (!reader.has("also_trace")) return;
    lease.also_trace = reader.text("also_trace", is_trace);
    lease.also_queued_ms = reader.integer("also_queued_ms", 0, integer_max);
    if (reader.has("also_heard_us")) lease.also_heard_us = reader.integer("also_heard_us", 0, heard_us_max);
    reader.require(lease.also && lease.also_trace != lease.trace, "a second trace of one envelope, or the same");
}

std::vector<Word> read_words(ObjectReader& reader, const char* key) {
    std::vector<Word> words;
    for (const std::string& text : reader.texts(key, vocabulary.size())) {
        const auto word = Word::parse(text);
        if (!word)
            reader.refuse("a tag is not of the approved vocabulary");
        else
            words.push_back(*word);
    }
    return words;
}

Lease read_lease(ObjectReader& reader) {
    Lease lease;
    lease.lease = reader.integer("lease", 0, integer_max);
    if (lease.lease == 0) return lease;
    reader.object("envelope", [&](ObjectReader& inner) { lease.envelope = read_envelope(inner); });
    if (reader.has("also")) read_also(reader, lease);
    lease.contact = reader.text("contact", is_contact_or_empty);
    lease.old_contact = reader.text("old_contact", is_contact_or_empty);
    if (reader.has("object")) lease.object = reader.text("object", is_contact_id);
    lease.create = reader.boolean("create");
    lease.look_up_first = reader.boolean("look_up_first");
    lease.unsure_ms = reader.small("unsure_ms", 0, unsure_ms_max);
    if (reader.has("prior_tags")) lease.prior_tags = read_words(reader, "prior_tags");
    if (reader.has("may_lift")) lease.may_lift = reader.boolean("may_lift");
    reader.require(!lease.may_lift || !lease.prior_tags, "leave to lift what is known not to be ours");
    lease.tries = reader.small("tries", 0, tries_max);
    read_traces(reader, lease);
    const bool merge = lease.envelope && lease.envelope->kind() == Kind::contact_merge;
    const bool beside = lease.envelope && is_beside(lease.envelope->kind());
    reader.require((beside ? lease.object : lease.contact).empty() || !lease.create,
                   "something to create where there is one");
    reader.require(!beside || !lease.contact.empty(), "an opportunity or a booking of nobody's");
    reader.require(beside || lease.object.empty(), "an object with an envelope about none");
    reader.require(lease.old_contact.empty() || merge, "an old contact without a merge");
    return lease;
}

std::string write(const Verdict& verdict) {
    return frame("verdict")
        .integer("attempt", verdict.attempt)
        .text("answer", name_of(verdict.answer))
        .text("code", verdict.code)
        .str();
}

Verdict read_verdict(ObjectReader& reader) {
    Verdict verdict{.attempt = reader.integer("attempt", 0, integer_max),
                    .answer = reader.choice<Answer>("answer"),
                    .code = reader.text("code", is_code)};
    const bool written = verdict.answer == Answer::go || verdict.answer == Answer::dry;
    reader.require(!written || verdict.attempt > 0, "a go without a line in the ledger");
    return verdict;
}

std::string write(const Settled& settled) {
    ObjectWriter writer = frame("settled");
    writer.boolean("known", settled.known);
    if (settled.watched) writer.boolean("watched", true);
    return writer.str();
}

Settled read_settled(ObjectReader& reader) {
    Settled settled{.known = reader.boolean("known")};
    if (reader.has("watched")) settled.watched = reader.boolean("watched");
    return settled;
}

std::string write(const Device::Feed& feed) {
    return ObjectWriter{}
        .text("feed", feed.feed)
        .integer("received", feed.received)
        .integer("stored", feed.stored)
        .integer("quarantined", feed.quarantined)
        .integer("refused", feed.refused)
        .integer("duplicate", feed.duplicate)
        .integer("silent_s", feed.silent_s)
        .str();
}

Device::Feed read_feed(ObjectReader& reader) {
    return {.feed = reader.text("feed", is_feed),
            .received = reader.integer("received", 0, integer_max),
            .stored = reader.integer("stored", 0, integer_max),
            .quarantined = reader.integer("quarantined", 0, integer_max),
            .refused = reader.integer("refused", 0, integer_max),
            .duplicate = reader.integer("duplicate", 0, integer_max),
            .silent_s = reader.integer("silent_s", -1, integer_max)};
}

std::string write(const Device::Event& event) {
    return ObjectWriter{}
        .integer("number", event.number)
        .text("code", event.code)
        .text("severity", event.severity)
        .integer("at_ms", event.at_ms)
        .str();
}

Device::Event read_event(ObjectReader& reader) {
    return {.number = reader.integer("number", 1, integer_max),
            .code = reader.text("code", is_event_code),
            .severity = reader.text("severity", is_severity),
            .at_ms = reader.integer("at_ms", 0, at_ms_max)};
}

std::string write(const Device& device) {
    std::vector<std::string> feeds, events;
    for (const Device::Feed& feed : device.feeds) feeds.push_back(write(feed));
    for (const Device::Event& event : device.events) events.push_back(write(event));
    ObjectWriter writer = frame("device");
    writer.text("mode", device.mode)
        .integer("uptime_s", device.uptime_s)
        .text("version", device.version)
        .integer("queue", device.queue)
        .integer("oldest_s", device.oldest_s)
        .integer("dead", device.dead)
        .integer("disk_free_percent", device.disk_free_percent)
        .boolean("clock_trusted", device.clock_trusted)
        .boolean("chain_ok", device.chain_ok)
        .boolean("contained", device.contained)
        .text("basis", device.basis)
        .list("feeds", feeds)
        .list("events", events);
    if (device.data_consistency) writer.integer("data_consistency", *device.data_consistency);
    return writer.str();
}

void check_lists(ObjectReader& reader, const Device& device) {
    std::set<std::string> names;
    for (const Device::Feed& feed : device.feeds) names.insert(feed.feed);
    reader.require(names.size() == device.feeds.size(), "a feed twice");
    std::int64_t before = 0;
    for (const Device::Event& event : device.events) {
        reader.require(event.number > before, "events out of order");
        before = event.number;
    }
}

Device read_device(ObjectReader& reader) {
    Device device;
    device.mode = reader.text("mode", is_mode);
    device.uptime_s = reader.integer("uptime_s", 0, integer_max);
    device.version = reader.text("version", is_version);
    device.queue = reader.small("queue", 0, queue_max);
    device.oldest_s = reader.integer("oldest_s", 0, integer_max);
    device.dead = reader.small("dead", 0, queue_max);
    device.disk_free_percent = reader.small("disk_free_percent", 0, 100);
    reader.require(device.disk_free_percent % 5 == 0, "the free space in steps other than 5");
    device.clock_trusted = reader.boolean("clock_trusted");
    device.chain_ok = reader.boolean("chain_ok");
    device.contained = reader.boolean("contained");
    device.basis = reader.text("basis", is_basis);
    reader.objects("feeds", feeds_max, [&](ObjectReader& feed) { device.feeds.push_back(read_feed(feed)); });
    reader.objects("events", events_max, [&](ObjectReader& event) { device.events.push_back(read_event(event)); });
    check_lists(reader, device);
    if (reader.has("data_consistency")) device.data_consistency = reader.small("data_consistency", 0, 100);
    return device;
}

std::string write(const Refused& refused) {
    return frame("refused").text("code", refused.code).str();
}

Refused read_refused(ObjectReader& reader) {
    return {.code = reader.text("code", is_code)};
}

bool is_any(std::string_view) {
    return true;
}

Reply read_reply(ObjectReader& reader) {
    reader.integer("v", 1, 1);
    const std::string frame = reader.text("frame", is_any);
    if (frame == "lease") return read_lease(reader);
    if (frame == "verdict") return read_verdict(reader);
    if (frame == "settled") return read_settled(reader);
    if (frame == "device") return read_device(reader);
    if (frame == "fact_taken") return read_fact_taken(reader);
    if (frame == "matched") return read_matched(reader);
    if (frame == "poll_terms") return read_poll_terms(reader);
    if (frame == "walk_terms") return read_walk_terms(reader);
    reader.require(frame == "refused", "the frame is not a reply that is known");
    return read_refused(reader);
}

} // namespace

std::string encode(const Reply& reply) {
    return std::visit([](const auto& one) { return write(one); }, reply);
}

Result<Reply> decode_reply(std::string_view bytes) {
    auto parsed = base::parse_json(bytes, frame_bytes_max, 3);
    if (!parsed) return Error{Errc::refused, parsed.error().what};
    ObjectReader reader{*parsed};
    Reply reply = read_reply(reader);
    CLINIC_TRY(reader.done());
    if (encode(reply) != bytes) return Error{Errc::refused, "the frame is not in its one written form"};
    return reply;
}

} // namespace clinic::envelope
