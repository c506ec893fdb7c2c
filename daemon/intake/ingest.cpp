#include "daemon/intake/ingest.h"

#include <charconv>

#include "crypto/base/files.h"
#include "crypto/base/log.h"
#include "daemon/audit/trail.h"
#include "daemon/intake/order_writer.h"
#include "daemon/records/quarantine.h"
#include "daemon/records/seen.h"

namespace clinic::intake {
namespace {

constexpr Error damaged_frame{Errc::malformed, "the frame has an end block inside", "send the message again"};
constexpr Error no_room{Errc::full, "there is no room left on the box's disk", "send it again later"};
constexpr Error oversized_frame{Errc::full, "the message is longer than this box takes",
                                "send it in parts, or have mllp.message_bytes_max of the box raised"};

Rejection unreadable(const Error& error) {
    Rejection rejection{Outcome::failed, {Hl7Code::internal, error.what, "", 1, error.at.field, error.remedy}, error};
    if (error.at.segment == 1) rejection.complaint.segment = "MSH";
    if (error.code == Errc::malformed) rejection.complaint.code = Hl7Code::segment_sequence;
    return rejection;
}

// The same bytes will always be too many: AR.
Rejection too_long() {
    return {
        Outcome::refused, {Hl7Code::too_long, oversized_frame.what, "", 1, 0, oversized_frame.remedy}, oversized_frame};
}

Rejection not_stored(const Error& error) {
    return {Outcome::failed,
            {Hl7Code::internal, "the message could not be stored", "", 1, 0, "send it again; the box's page says why"},
            error};
}

// The mark names the item: the quarantine may forget it first.
Result<bool> is_in_quarantine(records::Transaction& txn, const records::MessageKey& mark) {
    const auto seen = records::find_seen(txn, mark);
    if (!seen) return seen.error();
    if (!*seen) return false;
    const std::string& named = (*seen)->ack;
    std::int64_t id = 0;
    if (std::from_chars(named.data(), named.data() + named.size(), id).ec != std::errc{}) return false; // an older mark
    const auto item = records::quarantine_item(txn, id);
    if (!item && item.error().code != Errc::not_found) return item.error();
    return item.has_value();
}

// A sender repeats what it got an AE for, every few seconds, for ever: one item in the quarantine, and one entry in
// the chain, is enough for as long as it is there, settled or not.
Result<void> quarantine_once(records::Transaction& txn, std::string_view feed, const Error& reason,
                             const std::string& raw) {
    const crypto::Digest body = crypto::digest(base::as_bytes(raw));
    const records::MessageKey key{"quarantine", crypto::hex(body), ""};
    const auto kept = is_in_quarantine(txn, key);
    CLINIC_TRY(kept);
    if (*kept) return {};
    const auto entry = audit::Trail::append(
        txn, {audit::Actor::feed, mllp_feed_number, audit::Action::quarantine, audit::Purpose::operations, "message"});
    if (!entry) return entry.error();
    const auto item = records::quarantine(txn, feed, reason, raw);
    if (!item) return item.error();
    return records::remember_seen(txn, key, body, std::to_string(*item));
}

Booked booked_as(Outcome outcome) {
    return outcome == Outcome::refused ? Booked::refused : Booked::quarantined;
}

// What was read by a guess at its character set says so for as long as it stands.
void mark_assumed(Order& order, bool assumed) {
    if (order.patient) order.patient->text_assumed = assumed;
    for (auto& merge : order.merges) merge.survivor.text_assumed = merge.prior.text_assumed = assumed;
}

} // namespace

std::string kind_of(const Header& header) {
    const auto code = [&](int number) -> std::string {
        const std::string_view text = part(header.message_type, header.delimiters.component, number);
        const auto odd = [](char c) { return (c < 'A' || c > 'Z') && (c < '0' || c > '9'); };
        if (text.size() != 3 || odd(text[0]) || odd(text[1]) || odd(text[2])) return "?";
        return std::string{text};
    };
    return code(1) + '^' + code(2);
}

// One message on its way: made by the caller's thread, then the writer thread's alone.
struct Ingest::Work {
    std::string raw;
    Frame::State state = Frame::State::whole;
    Answer answer;
    std::string sender; // the name the clinic gave it; empty: none
    SenderRules rules;
    std::optional<base::Micros> heard_at;
    std::optional<Header> header;
    Order order;
    std::optional<Rejection> rejection;
    records::MessageKey key;
    crypto::Digest body{};
    bool id_reused = false, late = false, character_set_assumed = false;
};

Ingest::Ingest(records::Store& store, release::Releaser& releaser, const Clock& clock,
               std::shared_ptr<const Feeds> feeds, Alert alert)
    : store_{store}, releaser_{releaser}, clock_{clock}, feeds_{std::move(feeds)}, alert_{std::move(alert)} {}

Ingest::~Ingest() = default;

void Ingest::message(std::string raw, bool damaged, Answer answer) {
    message({std::move(raw), damaged ? Frame::State::damaged : Frame::State::whole, nullptr}, std::move(answer));
}

void Ingest::message(Frame frame, Answer answer) {
    if (frame.state == Frame::State::lost) return lose(frame);
    const auto work = work_of(std::move(frame), std::move(answer));
    read(*work);
    if (!work->rejection) return store(work);
    const bool is_understood = work->state == Frame::State::whole && work->header;
    if (is_understood && work->rejection->outcome == Outcome::refused) note_unsupported(*work->header);
    reject(work);
}

std::shared_ptr<Ingest::Work> Ingest::work_of(Frame frame, Answer answer) const {
    auto work = std::make_shared<Work>();
    if (auto header = read_header(frame.bytes)) work->header = std::move(*header);
    if (feeds_ && frame.peer) {
        const auto table = feeds_->table();
        if (const auto* feed = table->find(*frame.peer, work->header ? &*work->header : nullptr)) {
            work->sender = feed->name;
            work->rules = feed->rules;
        }
    }
    work->raw = std::move(frame.bytes);
    work->state = frame.state;
    work->heard_at = frame.heard_at;
    work->answer = std::move(answer);
    return work;
}

void Ingest::read(Work& work) const {
    if (work.state == Frame::State::oversized) {
        work.rejection = too_long();
        return;
    }
    if (work.state == Frame::State::damaged) {
        work.rejection = unreadable(damaged_frame);
        return;
    }
    const auto message = parse(work.raw, work.rules.character_set);
    if (!message) {
        work.rejection = unreadable(message.error());
        return;
    }
    auto reading = read_order(*message, work.rules, clock_.now());
    if (auto* rejection = std::get_if<Rejection>(&reading)) {
        work.rejection = std::move(*rejection);
        return;
    }
    work.character_set_assumed = message->character_set_assumed();
    work.order = std::move(std::get<Order>(reading));
    mark_assumed(work.order, work.character_set_assumed);
    work.key = {work.order.stamp.sender, work.header->control_id, work.header->sent_at};
    work.body = crypto::digest(base::as_bytes(work.raw));
}

// What room a full disk has left is for the box's own bookkeeping.
bool Ingest::refused_for_room(const std::shared_ptr<Work>& work) {
    if (store_.takes_records()) return false;
    work->rejection = Rejection{Outcome::failed, {Hl7Code::internal, no_room.what, "", 1, 0, no_room.remedy}, no_room};
    book_late(work->sender);
    finish(*work, work->rejection->outcome);
    return true;
}

void Ingest::store(const std::shared_ptr<Work>& work) {
    if (refused_for_room(work)) return;
    const auto job = [this, work](records::Transaction& txn) -> Result<void> {
        const auto as = write(txn, *work,
                              {audit::Actor::feed, mllp_feed_number, audit::Action::update, audit::Purpose::treatment,
                               work->order.event});
        if (!as) return as.error();
        return book_message(txn, work->sender, *as);
    };
    const auto done = [this, work](const Result<void>& result) {
        if (result) {
            note(*work);
            return finish(*work, Outcome::stored);
        }
        base::log(base::Level::warning, "intake: a message was not stored", result.error());
        work->rejection = not_stored(result.error());
        reject(work);
    };
    if (post(job, done, work->heard_at)) return;
    work->rejection = not_stored(Error{Errc::full, "the store's queue is full"});
    book_late(work->sender);
    finish(*work, work->rejection->outcome);
}

// A message that is not taken: refused ones are counted, the others kept in the quarantine. Answered when that is
// durable, or when it cannot be: the answer is true either way.
void Ingest::reject(const std::shared_ptr<Work>& work) {
    if (refused_for_room(work)) return;
    const auto job = [work](records::Transaction& txn) -> Result<void> {
        const Booked as = booked_as(work->rejection->outcome);
        if (as == Booked::refused) return book_message(txn, work->sender, as);
        CLINIC_TRY(quarantine_once(txn, feed_of(work->sender), work->rejection->error, work->raw));
        return book_message(txn, work->sender, as);
    };
    const auto done = [this, work](const Result<void>& result) {
        if (!result) {
            base::log(base::Level::error, "intake: a message was not kept", result.error());
            book_late(work->sender);
        }
        finish(*work, work->rejection->outcome);
    };
    if (post(job, done)) return;
    book_late(work->sender);
    finish(*work, work->rejection->outcome);
}

// Refused, as far as anybody will ever know. One job books what came together.
void Ingest::lose(const Frame& frame) {
    std::string sender;
    if (feeds_ && frame.peer) {
        const auto table = feeds_->table();
        if (const auto* feed = table->find(*frame.peer, nullptr)) sender = feed->name;
    }
    book_late(sender);
    static_cast<void>(post([](records::Transaction&) { return Result<void>{}; }, [](const Result<void>&) {}));
}

void Ingest::book_late(const std::string& sender) {
    const std::scoped_lock lock{mutex_};
    ++late_books_[sender];
}

// With each job go the refusals that could not be counted when they happened. False: the store's queue is full.
bool Ingest::post(records::Store::Job job, records::Store::Done done, std::optional<base::Micros> heard_at) {
    using Counts = std::map<std::string, std::int64_t>;
    const auto taken = std::make_shared<Counts>();
    const auto with_late = [this, taken, job = std::move(job)](records::Transaction& txn) -> Result<void> {
        {
            const std::scoped_lock lock{mutex_};
            taken->swap(late_books_);
        }
        for (const auto& [sender, count] : *taken) CLINIC_TRY(book_message(txn, sender, Booked::refused, count));
        return job(txn);
    };
    const auto with_late_done = [this, taken, done = std::move(done)](const Result<void>& result) {
        if (!result) {
            const std::scoped_lock lock{mutex_};
            for (const auto& [sender, count] : *taken) late_books_[sender] += count;
        }
        done(result);
    };
    return store_.post(with_late, with_late_done, heard_at);
}

Result<Booked> Ingest::write(records::Transaction& txn, Work& work, const audit::Entry& entry) {
    work.id_reused = false;
    const auto seen = records::find_seen(txn, work.key);
    if (!seen) return seen.error();
    if (*seen && (*seen)->body == work.body) return Booked::duplicate;
    work.id_reused = seen->has_value();
    audit::Entry said = entry;
    if (!work.order.merges.empty()) said.action = audit::Action::merge;
    const auto why = audit::Trail::append(txn, said);
    if (!why) return why.error();
    const auto late = write_order(txn, *why, releaser_, work.order, feed_of(work.sender), work.raw);
    if (!late) return late.error();
    work.late = *late;
    const std::string_view code =
        acknowledgement_code(accept_condition(work.rules).value_or(work.header->accept_condition), Outcome::stored);
    CLINIC_TRY(records::remember_seen(txn, work.key, work.body, code));
    return Booked::stored;
}

void Ingest::finish(const Work& work, Outcome outcome) const {
    if (work.header && is_answered_with_silence(*work.header, work.rules)) return work.answer({});
    std::optional<Complaint> complaint;
    if (outcome != Outcome::stored) complaint = work.rejection->complaint;
    work.answer(answer(work.header, outcome, complaint, clock_.now(), accept_condition(work.rules)));
}

Result<Booked> Ingest::replay(std::int64_t item, std::int64_t operator_uid) {
    if (!store_.takes_records()) return no_room;
    Booked as = Booked::quarantined;
    CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
        const auto done = replay_in(txn, item, operator_uid);
        CLINIC_TRY(done);
        as = *done;
        return records::mark_replayed(txn, item, name(*done));
    }));
    return as;
}

Result<Booked> Ingest::replay_in(records::Transaction& txn, std::int64_t item, std::int64_t operator_uid) {
    const auto about = records::quarantine_item(txn, item);
    CLINIC_TRY(about);
    if (about->feed == feed_csv.c_str())
        return Error{Errc::unsupported, "a line of a CSV file cannot be replayed", "import the file again"};
    if (about->reason == damaged_frame.what.c_str())
        return Error{Errc::refused, "bytes of this message were lost on the way", "have the sender send it again"};
    const audit::Entry entry{.actor = audit::Actor::operator_,
                             .actor_id = operator_uid,
                             .action = audit::Action::update,
                             .purpose = audit::Purpose::treatment,
                             .detail = "quarantine_replay",
                             .note = std::to_string(item)};
    const auto why = audit::Trail::append(txn, entry);
    CLINIC_TRY(why);
    auto raw = records::open_quarantined(txn, *why, item);
    CLINIC_TRY(raw);
    const auto work = work_of({std::move(*raw), Frame::State::whole, nullptr}, {});
    work->sender = sender_of(about->feed);
    const auto table = feeds_ ? feeds_->table() : nullptr;
    if (const auto* feed = table ? table->named(work->sender) : nullptr) work->rules = feed->rules;
    read(*work);
    if (work->rejection) return booked_as(work->rejection->outcome);
    return write(txn, *work, entry);
}

void Ingest::note(const Work& work) {
    if (work.id_reused) alert_(alert_id_reused, "warn");
    const std::scoped_lock lock{mutex_};
    numbers_.ids_reused += work.id_reused ? 1 : 0;
    numbers_.late += work.late ? 1 : 0;
    numbers_.character_sets_assumed += work.character_set_assumed ? 1 : 0;
}

void Ingest::note_unsupported(const Header& header) {
    const std::scoped_lock lock{mutex_};
    const std::string kind = kind_of(header);
    ++numbers_.unsupported;
    if (unsupported_.size() < unsupported_kinds_max || unsupported_.contains(kind)) ++unsupported_[kind];
}

std::map<std::string, std::int64_t> Ingest::unsupported() const {
    const std::scoped_lock lock{mutex_};
    return unsupported_;
}

IngestNumbers Ingest::numbers() const {
    const std::scoped_lock lock{mutex_};
    return numbers_;
}

} // namespace clinic::intake
