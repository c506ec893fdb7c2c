// A booking that GHL shows, against the clinic's appointment that it is: found, bound, and compared.
//   Units:   quarters of an hour since 1970, outwards.
//   Rules:   daemon/crm/ownership.h: booking_status, booking_time, booking_cancelled. What was read before our newest
//            write to a booking of the patient's, or sooner than the index's lag after it, proves nothing.
//   Threads: the store's.
#pragma once

#include <functional>

#include "daemon/crm/objects.h"
#include "daemon/outbox/beside.h"
#include "daemon/release/releaser.h"

namespace clinic::crm {

// The contact's booking that stands, begins then and is nobody's appointment; the first to be seen.
// `Releaser::tell_bookings`.
Result<std::optional<release::FoundBooking>> find_booking(records::Session& session, std::string_view contact,
                                                          std::int64_t from_quarter);

class BookingCheck {
public:
    BookingCheck(release::Releaser& releaser, std::chrono::milliseconds index_lag)
        : releaser_{releaser}, index_lag_{index_lag} {}

    // As GHL shows it: whose it is, and what differs. `news`: it has changed there.
    Result<void> check(records::Transaction& txn, const Object& booking, bool news) const;
    // These rows once more: the clinic's side moves too.
    Result<void> check_again(records::Transaction& txn, const std::vector<std::int64_t>& rows) const;
    // The patient's once more, also those that came to their end in GHL.
    Result<void> check_of(records::Transaction& txn, records::PatientId patient) const;
    // How the patient's bookings stand, as GHL showed them last; nothing is done about it. What a person has left to
    // GHL does not differ.
    struct Against {
        bool clinic = false; // of one that differs the clinic's word counts
        bool person = false; // of one a person decides
        bool sure = true;    // GHL would show what was said of them last
    };
    Result<Against> against(records::Transaction& txn, records::PatientId patient) const;
    // Of those where the clinic's word counts; also where a person was asked because GHL kept changing it. True:
    // something of one waits, put there now or before.
    Result<bool> say_again(records::Transaction& txn, records::PatientId patient) const;
    // A person has decided about a difference; whose it is: nobody's, of a booking that is no appointment's.
    Result<std::vector<records::PatientId>> decided(records::Transaction& txn, const Object& booking,
                                                    const Conflict& conflict, bool for_ghl) const;

private:
    struct Pair;
    struct Sides;
    struct Outcome {
        bool again = false, waits = false;
    };
    static Result<Pair> pair_of(records::Transaction& txn, const Object& booking, records::PatientId patient,
                                outbox::Besides ours);
    Result<void> each_of(records::Transaction& txn, records::PatientId patient,
                         const std::function<Result<void>(const Pair&)>& look) const;
    Result<Against> stands(records::Transaction& txn, const Pair& pair) const;
    Sides sides_of(const Pair& pair) const;
    static Result<bool> is_called_off_by_us(records::Transaction& txn, const Pair& pair);
    static Result<bool> is_taken_back(records::Transaction& txn, const Pair& pair);
    static bool is_over(const Pair& pair, Timestamp now);
    Result<void> called_off(records::Transaction& txn, const Pair& pair, bool news, bool sure) const;
    Result<Outcome> differences(records::Transaction& txn, const Pair& pair) const;
    Result<void> compare(records::Transaction& txn, const Pair& pair, bool news) const;
    Result<bool> differ(records::Transaction& txn, const Pair& pair, Field field, bool by_rule, std::string_view ours,
                        std::string_view theirs) const;
    Result<bool> shows_our_newest(records::Transaction& txn, const Pair& pair) const;

    release::Releaser& releaser_;
    const std::chrono::milliseconds index_lag_;
};

} // namespace clinic::crm
