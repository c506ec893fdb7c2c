// Appointments as bookings of a calendar in GHL: which are told, in which state, at which time; and whose a booking is
// that lives there already.
//   Units:   quarters of an hour since 1970, outwards.
//   Errors:  those of the store and the outbox.
//   Threads: the store's (all take its session).
//   Source:  docs/release.md, "Bookings"; docs/crm.md.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/outbox/beside.h"
#include "daemon/outbox/outbox.h"
#include "daemon/records/types.h"
#include "daemon/release/say_beside.h"
#include "sync/envelope/crm.h"

namespace clinic::release {

struct BookingOptions {  // "ghl.bookings" of the settings
    bool told = false;   // the state of a booking that is an appointment's is kept up to date
    bool create = false; // those to come are made, and moved: their times leave
};

inline constexpr base::Micros appointment_without_end = std::chrono::minutes{30};
inline constexpr base::Micros bookings_back = std::chrono::hours{24}; // the polling's window
inline constexpr base::Micros bookings_ahead = std::chrono::hours{90 * 24};

struct BookingState {
    records::AppointmentId appointment;
    envelope::Booking status = envelope::Booking::new_;
    std::int64_t from = 0, until = 0; // longer than is told of any: cut
    bool ahead = false;               // within the window, and not over
    bool end_is_guessed = false;      // the clinic does not say one
};
// Of an appointment that began at most a day ago, or is to come; and of those, all.
std::optional<BookingState> booking_of(const records::AppointmentFacts& appointment, Timestamp now);
std::vector<BookingState> bookings_of(const records::PatientFacts& facts, Timestamp now);
// Of one of any time, which GHL shows at `slot`: while that is not over, it is told wherever it has gone.
std::optional<BookingState> booking_shown(const records::AppointmentFacts& appointment,
                                          const std::pair<std::int64_t, std::int64_t>& slot, Timestamp now);

bool is_past(const std::pair<std::int64_t, std::int64_t>& slot, Timestamp now); // none is made of it any more
bool is_over(const std::pair<std::int64_t, std::int64_t>& slot, Timestamp now); // for longer than is told

bool stands(envelope::Booking status); // new or confirmed: neither ended nor called off

bool says(const std::string& content, envelope::Booking status); // of `LastSaid`

// It calls a booking off and says no time: what taking back says.
bool calls_off(const envelope::MetadataEnvelope& envelope);

// One that GHL shows, and that is nobody's appointment yet.
struct FoundBooking {
    std::string object;
    envelope::CrmAppointment as;
};
using FindBooking = std::function<Result<std::optional<FoundBooking>>(records::Session& session,
                                                                      std::string_view contact, std::int64_t from)>;

// One patient's bookings inside one transaction.
class Bookings {
public:
    Bookings(records::Transaction& txn, records::PatientId patient, BookingOptions options, SayBeside say)
        : txn_{txn}, patient_{patient}, options_{options}, say_{std::move(say)} {}

    // `find`: where a booking that lives in GHL is looked for before one is made.
    Result<void> tell(const std::vector<BookingState>& states, const FindBooking& find, const std::string& site);
    // One of them, also where no list has it; it is called off where it is the patient's no more.
    Result<void> tell_by_itself(records::AppointmentId appointment, const FindBooking& find, const std::string& site);
    // Those of ours that the list, which is bounded, does not have.
    Result<void> tell_beyond(const records::PatientFacts& facts, const FindBooking& find, const std::string& site);
    // What has waited to be made until its end is made no more.
    Result<void> drop_past();
    // Those that we have made, or may have made, are called off.
    Result<void> take_back();
    // So are those that were left at a contact that is the patient's no more; one that is over is forgotten.
    Result<void> close_left();
    Result<bool> something_waits();
    // Of ours, one is not called off yet, or not sure to be.
    Result<bool> something_stands();

    // From now on the state of that booking is that appointment's.
    Result<void> bind(const BookingState& state, const FoundBooking& found, const std::string& site);

private:
    struct Told {
        outbox::Besides one;
        outbox::LastSaid said;
    };
    Result<std::vector<Told>> ours_to_come(); // made by us, or may be, and not over
    Result<std::optional<BookingState>> shown_elsewhere(const records::AppointmentFacts& appointment);
    Result<void> tell_gone(records::AppointmentId appointment);
    Result<void> tell_one(const BookingState& state, const FindBooking& find, const std::string& site);
    Result<bool> is_found(const BookingState& state, const FindBooking& find, const std::string& site);
    Result<void> call_off(records::AppointmentId appointment, std::int64_t number);
    Result<outbox::LastSaid> last_said(std::int64_t number);
    Result<envelope::MetadataEnvelope> envelope_of(records::AppointmentId appointment, envelope::Booking status);

    records::Transaction& txn_;
    records::PatientId patient_;
    const BookingOptions options_;
    const SayBeside say_;
};

} // namespace clinic::release
