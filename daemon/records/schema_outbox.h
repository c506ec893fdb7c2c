// The tables of clinic_outbox, in migration 1: they live in the records' file so that a row and its envelope are one commit.
#pragma once

namespace clinic::records {

inline constexpr const char* outbox_schema_v1 = "";

}  // namespace clinic::records
