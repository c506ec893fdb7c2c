// How many contacts, bookings, opportunities and locations of GHL's are kept an eye on (docs/crm.md).
#pragma once

#include <cstdint>

namespace clinic::records {

inline constexpr std::int64_t crm_objects_max = 1'000'000; // by crm_object.row

} // namespace clinic::records
