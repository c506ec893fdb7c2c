// From a message to its answer: parse, one job of the store, and only then the acknowledgement.
//   The job: audit entry, record, raw message, release decision, remembered id and the books, in one transaction.
//   Errors:  each message is answered exactly once: AA, AE or AR in the sender's mode (hl7_ack.h), or with an empty
//   string where
//            the sender asked for silence and the clinic agreed. A frame that never ended is booked and answered by
//            nobody.
//   Threads: message() from any; answers come on the store's writer thread or on the caller's.
//   Source:  design, "From a message to GHL", steps 1 and 2; facts/health-interop §1.2.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/audit/trail.h"
#include "daemon/intake/feed_books.h"
#include "daemon/intake/feeds.h"
#include "daemon/intake/frame.h"
#include "daemon/intake/hl7_event.h"
#include "daemon/records/store.h"
#include "daemon/release/releaser.h"

namespace clinic::intake {

inline constexpr std::int64_t mllp_feed_number = 1, csv_feed_number = 2; // actors in the audit chain
inline constexpr std::size_t unsupported_kinds_max = 256;

// A control id that came again with another body: it was processed, and somebody should know.
inline constexpr Literal alert_id_reused = "E3001";

// "ORU^R01", from codes of the standard's form alone; "?" in the place of anything else.
std::string kind_of(const Header& header);

struct IngestNumbers {
    std::int64_t unsupported = 0; // refused by type or event
    std::int64_t ids_reused = 0;
    std::int64_t late = 0; // newer things were known of the person or the appointment
    std::int64_t character_sets_assumed = 0;
};

class Ingest {
public:
    using Answer = std::function<void(std::string)>;
    using Alert =
        std::function<void(Literal code, Literal severity)>; // on the writer thread: must not wait for the store

    // `feeds`: null where no sender has a name.
    Ingest(records::Store& store, release::Releaser& releaser, const Clock& clock, std::shared_ptr<const Feeds> feeds,
           Alert alert);
    // Answers may come after this object is gone only if the store outlives the messages: close the server, then the
    // store, then this.
    ~Ingest();

    void message(Frame frame, Answer answer);
    // From nobody in particular. `damaged`: the framing lost bytes; never acknowledged.
    void message(std::string raw, bool damaged, Answer answer);

    // A quarantined message again, as if it came in now, by the rules that hold for its sender now; but the books stay
    // as they are, because no sender is answered (docs/hl7.md). Waits for the store. Errors: not_found, unsupported
    // (CSV).
    Result<Booked> replay(std::int64_t item, std::int64_t operator_uid);

    // What was refused by type or event, "ORU^R01" and how often, since start: shows what a clinic's system really
    // sends.
    std::map<std::string, std::int64_t> unsupported() const;
    IngestNumbers numbers() const;

private:
    struct Work;
    std::shared_ptr<Work> work_of(Frame frame, Answer answer) const;
    void read(Work& work) const;
    void store(const std::shared_ptr<Work>& work);
    void reject(const std::shared_ptr<Work>& work);
    bool refused_for_room(const std::shared_ptr<Work>& work);
    void finish(const Work& work, Outcome outcome) const;
    void lose(const Frame& frame);
    bool post(records::Store::Job job, records::Store::Done done, std::optional<base::Micros> heard_at = {});
    void book_late(const std::string& sender);
    Result<Booked> write(records::Transaction& txn, Work& work, const audit::Entry& entry);
    Result<Booked> replay_in(records::Transaction& txn, std::int64_t item, std::int64_t operator_uid);
    void note(const Work& work);
    void note_unsupported(const Header& header);

    records::Store& store_;
    release::Releaser& releaser_;
    const Clock& clock_;
    const std::shared_ptr<const Feeds> feeds_;
    const Alert alert_;
    mutable std::mutex mutex_;
    std::map<std::string, std::int64_t> late_books_; // by sender: refused while the store could not count it
    std::map<std::string, std::int64_t> unsupported_;
    IngestNumbers numbers_;
};

} // namespace clinic::intake
