// What GHL holds of a contact, as it was last read, against what the box meant it to hold; kept with the contact.
//   Rules:   what waits, is on its way, or was read before our newest write could show, is not compared: it stays as it
//            was found before. docs/crm.md, "The full comparison".
//   Threads: the store's.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "daemon/crm/bookings.h"
#include "daemon/crm/objects.h"
#include "sync/envelope/frame.h"

namespace clinic::crm {

// Stored as bits by their numbers: new ones at the end.
enum class Differs : std::uint8_t { fields, tags, do_not_disturb, marker, gone, orphan, twice, opportunity, booking };
inline constexpr std::array every_kind{Differs::fields, Differs::tags,        Differs::do_not_disturb,
                                       Differs::marker, Differs::gone,        Differs::orphan,
                                       Differs::twice,  Differs::opportunity, Differs::booking};
const char* name(Differs kind); // "do_not_disturb"
std::optional<Differs> differs(std::string_view name);

struct Kinds {
    std::int64_t bits = 0;
    bool holds(Differs kind) const { return (bits & bit(kind)) != 0; }
    void add(Differs kind) { bits |= bit(kind); }
    static constexpr std::int64_t bit(Differs kind) { return std::int64_t{1} << static_cast<unsigned>(kind); }
};

class Comparison {
public:
    // `index_lag`: GHL's search may show a contact as it was so long ago.
    Comparison(std::chrono::milliseconds index_lag, envelope::WriteRules::Pipeline pipeline, BookingCheck bookings)
        : index_lag_{index_lag}, pipeline_{std::move(pipeline)}, bookings_{std::move(bookings)} {}

    // An opportunity or a booking: the contact of the patient whose case or appointment it is.
    Result<void> compare(records::Transaction& txn, const Object& object) const;
    // The next few that differ in a booking, as to that alone: what is to be done about it is done, or a person asked;
    // and the clinic's side moves too. `after` is moved.
    Result<void> compare_bookings_again(records::Transaction& txn, std::int64_t& after) const;
    // One that differs and was not read since our newest write can be seen: behind the row `after`, and from the first
    // again. `after` is moved. Empty: none among the next few.
    Result<std::string> to_look_at(records::Transaction& txn, std::int64_t& after) const;

private:
    struct Found {
        Kinds kinds;
        bool sure = true;
    };
    Result<Found> kinds_of(records::Transaction& txn, const Object& contact) const;
    Result<Found> of_nobody(records::Transaction& txn, const Object& contact) const;
    Result<Found> of_patient(records::Transaction& txn, const Object& contact, records::PatientId patient) const;
    Result<Found> of_merged(records::Transaction& txn, const Object& contact, records::PatientId prior) const;
    enum class Shown : std::uint8_t { yes, if_read_now, not_yet };
    Result<Shown> shown(records::Transaction& txn, const Object& contact, records::PatientId patient) const;
    Result<Shown> shown_since(records::Transaction& txn, const Object& object, std::optional<Timestamp> newest) const;

    // The patient's case, and their bookings, as the polling saw them last.
    Result<void> add_case(records::Transaction& txn, records::PatientId patient, Found& out) const;
    Result<void> add_bookings(records::Transaction& txn, records::PatientId patient, Found& out) const;
    Result<void> compare_contact(records::Transaction& txn, const Object& contact) const;

    std::chrono::milliseconds index_lag_;
    envelope::WriteRules::Pipeline pipeline_;
    BookingCheck bookings_;
};

// Somebody whose state is told: there, not merged into another, no test traffic.
Result<bool> is_told(records::Session& session, records::PatientId patient);

// Something that is said to somebody's contact, or empties it, waits, is on its way, or is a dead letter.
Result<bool> something_waits(records::Session& session, records::PatientId patient);

// Of those that differ, by kind; one contact may differ in several.
struct Counts {
    std::array<std::int64_t, every_kind.size()> of{};
    std::int64_t contacts = 0;
};
Result<Counts> count_differing(records::Session& session);

struct Differing {
    std::int64_t row = 0;
    Kinds kinds;
};
// By row, behind `after`.
Result<std::vector<Differing>> differing(records::Session& session, Differs kind, std::int64_t after, int rows_max);
// A patient's contact, of which GHL says that it has none. It is asked for again by the next comparison: what is
// there then has never been gone.
Result<void> gone(records::Transaction& txn, std::string_view contact);
Result<bool> is_gone(records::Session& session, std::int64_t row);
// Nothing differs any more, or is not there to differ.
Result<void> agree(records::Transaction& txn, std::int64_t row);
// Those that nobody is linked to and that the comparison has not seen: they are in GHL no more.
Result<void> forget_unseen(records::Transaction& txn, std::int64_t read_before_ms);

} // namespace clinic::crm
