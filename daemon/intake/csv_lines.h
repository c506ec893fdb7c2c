// One CSV record to what it asks the store to do. Private to the import.
//   Threads: reading: any; writing: the store's writer thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/intake/csv.h"
#include "daemon/intake/csv_import.h"
#include "daemon/records/types.h"

namespace clinic::intake {

// Which field of a record is which of our columns; from the header line.
class CsvColumns {
public:
    static Result<CsvColumns> read(ImportKind kind, const CsvRecord& header);  // malformed: unknown, twice, missing
    std::string value(const CsvRecord& record, std::string_view column) const; // trimmed; empty: absent or no column
    std::size_t size() const { return names_.size(); }
    // The record's content, whatever the order of its columns.
    std::string canonical(const CsvRecord& record) const;

private:
    std::vector<std::string_view> names_; // by position; views of literals
};

struct CsvOrder {
    std::string record_number, sender;
    std::string key; // of the thing described, for recognising it again
    std::optional<records::PatientChange> patient;
    std::optional<records::AppointmentChange> appointment;
    std::optional<records::ConsentChange> consent;
};

struct CsvReading {
    CsvOrder order;
    std::optional<ImportFault> fault;
};
CsvReading read_line(ImportKind kind, const CsvColumns& columns, const CsvRecord& record, Timestamp now);

Result<void> write_line(records::Transaction& txn, const records::Disclosure& why, release::Releaser& releaser,
                        CsvOrder& order);

} // namespace clinic::intake
