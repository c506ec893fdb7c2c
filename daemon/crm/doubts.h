// What GHL may have deleted and nothing told us of: the polling has told all that GHL lists since a moment, and this
// was not among it, nor told otherwise. GHL's lists may lag, so each is read by its id: what GHL says it does not have,
// and says so again a minute later, was deleted.
//   Rules:   of the location that was seen last alone: an older one's things are not asked of another. A patient's
//            contact is first asked about by the full comparison, and here once more. Bookings are doubted where a
//            round reads them. What was seen between the two answers is as if the first had not been.
//   Bounds:  1,000 rows a step; 2,000 reads at once and as many a day after that, and as many contacts of patients
//            that were absent once; one that is not answered for is offered three times in a row, and then again in
//            the next pass, or by the next comparison. Nothing of it is stored: after a restart the polling says again
//            since when it has told all, and what was absent once is asked about anew.
//   Errors:  those of the store.
//   Threads: the store's.
//   Source:  docs/crm.md, "What GHL deletes".
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "daemon/crm/matcher.h"
#include "daemon/crm/objects.h"

namespace clinic::crm {

inline constexpr int looks_per_day = 2'000;
inline constexpr base::Micros absent_apart = std::chrono::minutes{1}; // the two answers, at least

class Doubts {
public:
    Doubts(std::string location, envelope::WriteRules::Reads reads, int per_day = looks_per_day)
        : location_{std::move(location)}, reads_{std::move(reads)}, linked_max_{static_cast<std::size_t>(per_day)},
          allowance_{per_day} {}

    // After each round: since when all that is listed has been told.
    Result<void> heard(records::Transaction& txn, const envelope::CrmPolled& polled);
    // `rest`: there is none to be read; `go_on`: rows are still to be looked through; else it is read again until
    // `looked` says that it was.
    Result<envelope::WalkTerms> next(records::Transaction& txn);
    // What was asked about was read, here or, of a patient's contact, by the comparison. True: it was absent before,
    // and still is in doubt: it was deleted.
    Result<bool> looked(records::Session& session, const envelope::CrmWalk& done);

private:
    struct Since {
        std::int64_t contacts_ms = 0, opportunities_ms = 0, bookings_ms = 0; // 0: that is not known
        friend bool operator==(const Since&, const Since&) = default;
    };
    struct Row {
        std::int64_t row = 0;
        envelope::CrmKind kind{};
        bool deleted = false;
        std::int64_t read_ms = 0, from_quarter = 0, until_quarter = 0;
    };
    struct Asked {
        std::int64_t row = 0;
        envelope::CrmKind kind{};
        std::string id;
        friend bool operator==(const Asked&, const Asked&) = default;
    };
    struct Absent {
        base::Micros since{};     // by the clock that only goes forward
        std::int64_t read_ms = 0; // as it was read last: another time, and it was seen
    };
    std::int64_t since_of(envelope::CrmKind kind) const;
    bool is_doubtful(const Row& one, Timestamp now) const;
    static Row row_of(const Object& object);
    Result<std::optional<Asked>> doubted(records::Transaction& txn, const Object& object) const;
    template <class All, class Ask>
    static auto first_again(All& all, base::Micros now, const Ask& ask) -> Result<std::optional<Asked>>;
    Result<std::optional<Asked>> once_more(records::Transaction& txn);
    Result<std::optional<Asked>> linked_once_more(records::Transaction& txn);
    bool is_absent_twice(const Object& object, base::Micros now);
    Result<bool> linked_looked(records::Session& session, const envelope::CrmWalk& done);

    bool is_offered_again(const Asked& one); // and not too often

    std::string location_;
    envelope::WriteRules::Reads reads_;
    const std::size_t linked_max_;
    Allowance allowance_;
    Since since_;
    std::int64_t place_ = 0; // the location's row, where there was another one before: what was seen here is behind it
    std::int64_t after_ = 0; // where the rows are looked through
    int passes_ = 0;         // through all rows, the one that has begun among them
    std::optional<Asked> asked_;
    std::map<std::int64_t, Absent> once_absent_;  // by row
    std::map<std::string, Absent> linked_absent_; // of patients: by the contact, which nobody may have seen yet
    std::optional<Asked> offered_;                // the newest offer, and how often it was made in a row
    int offers_ = 0;
};

} // namespace clinic::crm
