// From a message to its answer: parse, one job of the store, and only then the acknowledgement.
//   The job: audit entry, record, raw message, release decision, remembered id and the books, in one transaction.
//   Errors:  each message is answered exactly once: AA, AE or AR in the sender's mode (hl7_ack.h), or with an empty string where
//            the sender asked for silence and the site agreed.
//   Threads: message() from any; answers come on the store's writer thread or on the caller's.
//   Source:  design, "From a message to GHL", steps 1 and 2; facts/health-interop §1.2.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/intake/hl7_event.h"
#include "daemon/records/store.h"
#include "daemon/release/releaser.h"

namespace clinic::intake {

inline constexpr std::int64_t mllp_feed_number = 1, csv_feed_number = 2;   // actors in the audit chain
inline constexpr std::size_t unsupported_kinds_max = 256;

// A control id that came again with another body: it was processed, and somebody should know.
inline constexpr Literal alert_id_reused = "E3001";

class Ingest {
public:
    using Answer = std::function<void(std::string)>;
    using Alert = std::function<void(Literal code, Literal severity)>;   // on the writer thread: must not wait for the store

    Ingest(records::Store& store, release::Releaser& releaser, const Clock& clock, SiteRules site, Alert alert);
    // Answers may come after this object is gone only if the store outlives the messages: close the server, then the
    // store, then this.
    ~Ingest();

    // `damaged`: the framing lost bytes; never acknowledged.
    void message(std::string raw, bool damaged, Answer answer);

    // What was refused by type or event, "ORU^R01" and how often, since start: shows what a clinic's system really sends.
    std::map<std::string, std::int64_t> unsupported() const;

private:
    struct Work;
    void read(Work& work) const;
    void store(const std::shared_ptr<Work>& work);
    void reject(const std::shared_ptr<Work>& work);
    void finish(const Work& work, Outcome outcome) const;
    void post(const std::shared_ptr<Work>& work, records::Store::Job job, records::Store::Done done);
    Result<void> apply(records::Transaction& txn, Work& work);
    void note_unsupported(const Header& header);

    records::Store& store_;
    release::Releaser& releaser_;
    const Clock& clock_;
    const SiteRules site_;
    const Alert alert_;
    std::atomic<std::int64_t> unbooked_{0};      // refused while the store could not count it: goes with the next job
    mutable std::mutex mutex_;
    std::map<std::string, std::int64_t> unsupported_;
};

}  // namespace clinic::intake
