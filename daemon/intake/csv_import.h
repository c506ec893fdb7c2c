// `clinicctl import KIND FILE`: patients, appointments and consents from CSV. Columns: docs/csv.md.
//   Each record is a job of its own: a bad line is quarantined and undoes no other. A record that was imported before
//   and says the same is a duplicate and changes nothing. Errors:  malformed (the header), full (the file's bounds);
//   what is wrong with one record is in the report. Threads: any but the store's writer thread; waits until all is
//   durable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"
#include "daemon/records/store.h"
#include "daemon/release/releaser.h"

namespace clinic::intake {

enum class ImportKind : std::uint8_t { patients, appointments, consents };
std::optional<ImportKind> import_kind(std::string_view name);

inline constexpr std::size_t import_faults_max = 1'000;

struct ImportFault {
    int line = 0;
    Literal column = ""; // empty: the record as a whole
    Literal what = "", remedy = "";
};

struct ImportReport {
    std::int64_t received = 0, stored = 0, duplicate = 0, quarantined = 0, refused = 0;
    std::vector<ImportFault> faults; // by line; the first import_faults_max
    bool is_clean() const { return quarantined + refused == 0; }
};

// `operator_uid`: who asked, for the audit chain.
Result<ImportReport> import_csv(records::Store& store, release::Releaser& releaser, ImportKind kind,
                                std::string_view text, std::int64_t operator_uid);

// {"received":…,"stored":…,"duplicate":…,"quarantined":…,"refused":…,"faults":[{"line","column","what","remedy"}…]}
std::string to_json(const ImportReport& report);

} // namespace clinic::intake
