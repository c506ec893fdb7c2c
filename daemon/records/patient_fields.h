// What is sealed of a person: one JSON object under the patient's key. Private to this folder; lives as long as a call.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/records/blind_index.h"
#include "daemon/records/identifier_index.h"
#include "daemon/records/types.h"

namespace clinic::records {

inline constexpr std::size_t patient_bytes_max = 1'048'576; // of the sealed JSON
inline constexpr std::size_t patient_identifiers_max = 1'000;

struct PatientFields {
    struct Number {
        std::string name_space, type, value;
        friend bool operator==(const Number&, const Number&) = default;
    };
    std::string family, given, middle, birth_date, sex, address, language;
    std::vector<std::string> phones, emails;
    std::vector<Number> identifiers;
    bool deceased = false;
    bool text_assumed = false; // the name was read by a guess at its character set

    friend bool operator==(const PatientFields&, const PatientFields&) = default;
    bool has_mobile() const;
    bool has_email() const;
};

struct IndexEntry {
    IndexKind kind;
    std::string normal;
    friend auto operator<=>(const IndexEntry&, const IndexEntry&) = default;
};

// Absent keeps, cleared clears, given sets. Identifiers are added, never taken away.
void apply(PatientFields& fields, const PatientChange& change, const Disclosure& why);
void add_numbers(PatientFields& fields, const PatientChange& change, const Disclosure& why); // of it alone

// What the blind index holds of a person, without doubles; numbers are apart (table `identifier`).
std::vector<IndexEntry> index_entries(const PatientFields& fields);
std::vector<IdentifierValue> identifier_values(const PatientFields& fields);

Result<std::string> encode(const PatientFields& fields);     // full: beyond its bounds
Result<PatientFields> decode_patient(std::string_view json); // corrupt

} // namespace clinic::records
