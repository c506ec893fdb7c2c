#include "daemon/intake/ingest.h"

#include "crypto/base/files.h"
#include "crypto/base/log.h"
#include "daemon/audit/trail.h"
#include "daemon/intake/feed_books.h"
#include "daemon/intake/order_writer.h"
#include "daemon/records/quarantine.h"
#include "daemon/records/seen.h"

namespace clinic::intake {
namespace {

constexpr Error damaged_frame{Errc::malformed, "the frame has an end block inside", "send the message again"};

Rejection unreadable(const Error& error) {
    Rejection rejection{Outcome::failed, {Hl7Code::internal, error.what, "", 1, error.at.field}, error};
    if (error.at.segment == 1) rejection.complaint.segment = "MSH";
    if (error.code == Errc::malformed) rejection.complaint.code = Hl7Code::segment_sequence;
    return rejection;
}

Rejection not_stored(const Error& error) {
    return {Outcome::failed, {Hl7Code::internal, "the message could not be stored", "", 1, 0}, error};
}

// "ORU^R01", from codes of the standard's form alone.
std::string kind_of(const Header& header) {
    const auto code = [&](int number) -> std::string {
        const std::string_view text = part(header.message_type, header.delimiters.component, number);
        const auto odd = [](char c) { return (c < 'A' || c > 'Z') && (c < '0' || c > '9'); };
        if (text.size() != 3 || odd(text[0]) || odd(text[1]) || odd(text[2])) return "?";
        return std::string{text};
    };
    return code(1) + '^' + code(2);
}

// A sender repeats what it got an AE for, every few seconds, for ever: one item in the quarantine is enough.
Result<void> quarantine_once(records::Transaction& txn, const Error& reason, const std::string& raw) {
    const crypto::Digest body = crypto::digest(base::as_bytes(raw));
    const records::MessageKey key{"quarantine", crypto::hex(body), ""};
    const auto seen = records::find_seen(txn, key);
    if (!seen) return seen.error();
    if (*seen) return {};
    const auto item = records::quarantine(txn, feed_mllp.c_str(), reason, raw);
    if (!item) return item.error();
    return records::remember_seen(txn, key, body, "AE");
}

} // namespace

// One message on its way: made by the caller's thread, then the writer thread's alone.
struct Ingest::Work {
    std::string raw;
    Answer answer;
    std::optional<Header> header;
    Order order;
    std::optional<Rejection> rejection;
    records::MessageKey key;
    crypto::Digest body{};
    bool duplicate = false, id_reused = false;
    std::int64_t booked_late = 0;
};

Ingest::Ingest(records::Store& store, release::Releaser& releaser, const Clock& clock, SiteRules site, Alert alert)
    : store_{store}, releaser_{releaser}, clock_{clock}, site_{std::move(site)}, alert_{std::move(alert)} {}

Ingest::~Ingest() = default;

void Ingest::message(std::string raw, bool damaged, Answer answer) {
    auto work = std::make_shared<Work>();
    work->raw = std::move(raw);
    work->answer = std::move(answer);
    read(*work);
    if (damaged) work->rejection = unreadable(damaged_frame);
    if (!work->rejection) return store(work);
    if (work->rejection->outcome == Outcome::refused) note_unsupported(*work->header);
    reject(work);
}

void Ingest::read(Work& work) const {
    if (auto header = read_header(work.raw)) work.header = std::move(*header);
    const auto message = parse(work.raw);
    if (!message) {
        work.rejection = unreadable(message.error());
        return;
    }
    auto reading = read_order(*message, site_, clock_.now());
    if (auto* rejection = std::get_if<Rejection>(&reading)) {
        work.rejection = std::move(*rejection);
        return;
    }
    work.order = std::move(std::get<Order>(reading));
    work.key = {work.order.stamp.sender, work.header->control_id, work.header->sent_at};
    work.body = crypto::digest(base::as_bytes(work.raw));
}

void Ingest::store(const std::shared_ptr<Work>& work) {
    const auto done = [this, work](const Result<void>& result) {
        if (result) {
            if (work->id_reused) alert_(alert_id_reused, "warn");
            return finish(*work, Outcome::stored);
        }
        base::log(base::Level::warning, "intake: a message was not stored", result.error());
        work->rejection = not_stored(result.error());
        reject(work);
    };
    post(
        work, [this, work](records::Transaction& txn) { return apply(txn, *work); }, done);
}

// A message that is not taken: refused ones are counted, the others kept in the quarantine. Answered when that is
// durable, or when it cannot be: the answer is true either way.
void Ingest::reject(const std::shared_ptr<Work>& work) {
    const auto job = [work](records::Transaction& txn) -> Result<void> {
        if (work->rejection->outcome == Outcome::refused) return book(txn, feed_mllp, Booked::refused);
        const auto entry = audit::Trail::append(txn, {audit::Actor::feed, mllp_feed_number, audit::Action::quarantine,
                                                      audit::Purpose::operations, "message"});
        if (!entry) return entry.error();
        CLINIC_TRY(quarantine_once(txn, work->rejection->error, work->raw));
        return book(txn, feed_mllp, Booked::quarantined);
    };
    const auto done = [this, work](const Result<void>& result) {
        if (!result) {
            base::log(base::Level::error, "intake: a message was not kept", result.error());
            ++unbooked_;
        }
        finish(*work, work->rejection->outcome);
    };
    post(work, job, done);
}

// With each job go the refusals that could not be counted when they happened.
void Ingest::post(const std::shared_ptr<Work>& work, records::Store::Job job, records::Store::Done done) {
    const auto with_late = [this, work, job = std::move(job)](records::Transaction& txn) -> Result<void> {
        work->booked_late = unbooked_.exchange(0);
        CLINIC_TRY(book(txn, feed_mllp, Booked::refused, work->booked_late));
        return job(txn);
    };
    const auto with_late_done = [this, work, done = std::move(done)](const Result<void>& result) {
        if (!result) unbooked_ += std::exchange(work->booked_late, 0);
        done(result);
    };
    if (store_.post(with_late, with_late_done)) return;
    ++unbooked_;
    if (!work->rejection) work->rejection = not_stored(Error{Errc::full, "the store's queue is full"});
    finish(*work, work->rejection->outcome);
}

Result<void> Ingest::apply(records::Transaction& txn, Work& work) {
    work.duplicate = work.id_reused = false;
    const auto seen = records::find_seen(txn, work.key);
    if (!seen) return seen.error();
    if (*seen && (*seen)->body == work.body) {
        work.duplicate = true;
        return book(txn, feed_mllp, Booked::duplicate);
    }
    work.id_reused = seen->has_value();
    const auto action = work.order.merges.empty() ? audit::Action::update : audit::Action::merge;
    const auto why = audit::Trail::append(
        txn, {audit::Actor::feed, mllp_feed_number, action, audit::Purpose::treatment, work.order.event});
    if (!why) return why.error();
    CLINIC_TRY(write_order(txn, *why, releaser_, work.order, work.raw));
    const std::string_view code = acknowledgement_code(work.header->accept_condition, Outcome::stored);
    CLINIC_TRY(records::remember_seen(txn, work.key, work.body, code));
    return book(txn, feed_mllp, Booked::stored);
}

void Ingest::finish(const Work& work, Outcome outcome) const {
    if (work.header && is_answered_with_silence(*work.header, site_)) return work.answer({});
    std::optional<Complaint> complaint;
    if (outcome != Outcome::stored) complaint = work.rejection->complaint;
    work.answer(answer(work.header, outcome, complaint, clock_.now()));
}

void Ingest::note_unsupported(const Header& header) {
    const std::scoped_lock lock{mutex_};
    const std::string kind = kind_of(header);
    if (unsupported_.size() < unsupported_kinds_max || unsupported_.contains(kind)) ++unsupported_[kind];
}

std::map<std::string, std::int64_t> Ingest::unsupported() const {
    const std::scoped_lock lock{mutex_};
    return unsupported_;
}

} // namespace clinic::intake
