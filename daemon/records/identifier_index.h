// Keyed tokens of every identifier in the store, for the last check: can this text hold one of them?
// In memory stand 8-byte keyed hashes and lengths, never a value.
//   Rules:   design, "The last check": at least 5 letters or 6 digits match anywhere, in all forms;
//            shorter ones only as a whole JSON value or token.
//   Threads: any; read-mostly lock inside.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/records/store.h"

namespace clinic::records {

enum class IdentifierKind : std::uint8_t { name = 1, phone, email, number, date };

struct IdentifierValue {
    IdentifierKind kind;
    std::string value; // as stored; lives as long as the call
};

// Replaces the patient's rows in table `identifier_token`; the in-memory index follows on commit.
class IdentifierIndex {
public:
    explicit IdentifierIndex(const crypto::SecureBytes& index_key);
    ~IdentifierIndex();

    // Reads rows of one snapshot into memory, at most so many behind `after`; answers where to go on, nullopt: all are
    // read. What is committed after that snapshot comes by replace and remove, also meanwhile; so the snapshot is taken
    // where nothing is committed and not told yet: before the writer starts. Errors: nothing of these rows is kept.
    Result<std::optional<std::int64_t>> load(Session& snapshot, std::int64_t after, std::int64_t rows_max);
    bool is_loaded() const; // before that, what is not found may be there
    Result<void> replace(Transaction& txn, PatientId patient, const std::vector<IdentifierValue>& values);
    Result<void> remove(Transaction& txn, PatientId patient);

    // True when `text` holds an identifier: `text` is what remains of an attempt after the allowed parts are taken
    // away; `values` are its whole JSON values and tokens. All forms: case, reversed, base64 at every alignment,
    // base64url, hex, percent, JSON and HTML escapes, zero-width, full-width, regrouped digits.
    bool found_in(std::string_view text, const std::vector<std::string_view>& values) const;
    std::size_t size() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace clinic::records
