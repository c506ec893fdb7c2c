#include "daemon/crm/slots.h"

#include <chrono>

#include "daemon/outbox/outbox.h"
#include "daemon/outbox/sql.h"
#include "daemon/release/bookings.h"

namespace clinic::crm {
namespace {

using outbox::first_row;
using records::Statement;
using records::Transaction;

constexpr base::Micros longest = std::chrono::hours{14 * 24};

struct Taken {
    std::int64_t appointments = 0, blocked = 0;
};

// The person's own are no competition: it is the same visit, kept in both.
Result<Taken> taken_by_clinic(Transaction& txn, const envelope::CrmAppointment& slot,
                              const std::optional<records::PatientId>& own) {
    Taken taken;
    const Timestamp from{slot.from_quarter * envelope::quarter_us}, until{slot.until_quarter * envelope::quarter_us};
    CLINIC_TRY(first_row(
        txn,
        "SELECT count(patient), count(*) - count(patient) FROM appointment INDEXED BY appointment_open_start"
        " WHERE status IN (0, 1, 2, 3, 7) AND start_at < ?1 AND start_at > ?2 - ?3"
        " AND coalesce(end_at, start_at + ?4) > ?2 AND test_traffic = 0 AND (patient IS NULL OR patient IS NOT ?5)",
        [&](const Statement& row) {
            taken = {row.integer(0), row.integer(1)};
        },
        until, from, longest.count(), release::appointment_without_end.count(), own));
    return taken;
}

Result<std::optional<records::PatientId>> owner_of(Transaction& txn, const std::string& contact) {
    if (contact.empty()) return std::optional<records::PatientId>{};
    const auto patients = outbox::Links::patients_of(txn, contact);
    CLINIC_TRY(patients);
    return patients->empty() ? std::optional<records::PatientId>{} : std::optional{patients->front()};
}

} // namespace

Result<void> check_slot(Transaction& txn, const Object& booking, int at_once) {
    using envelope::Booking;
    const auto* slot = std::get_if<envelope::CrmAppointment>(&booking.fact.said);
    const bool stands = slot != nullptr && (slot->status == Booking::new_ || slot->status == Booking::confirmed) &&
                        slot->until_quarter * envelope::quarter_us > txn.now().micros;
    if (!stands) return settle(txn, booking.row, Field::slot, "gone");
    const auto own = owner_of(txn, slot->contact);
    CLINIC_TRY(own);
    const auto taken = taken_by_clinic(txn, *slot, *own);
    CLINIC_TRY(taken);
    if (taken->blocked == 0 && taken->appointments < at_once) return settle(txn, booking.row, Field::slot, "gone");
    const std::string ours = taken->blocked > 0 ? "blocked" : "taken:" + std::to_string(taken->appointments);
    return record(txn, booking.row, Field::slot, ours,
                  base::rfc3339(Timestamp{slot->from_quarter * envelope::quarter_us}), Settled::open);
}

Result<void> check_slots(Transaction& txn, const std::vector<std::int64_t>& rows, int at_once) {
    for (const std::int64_t row : rows) {
        const auto booking = object_at(txn, row);
        CLINIC_TRY(booking);
        if (*booking) CLINIC_TRY(check_slot(txn, **booking, at_once));
    }
    return {};
}

} // namespace clinic::crm
