// Keyed tokens by which a value is found without being stored: normalised, then hashed under the index key, apart by
// kind.
//   Source: design, "The store" (search); facts/encrypted-sqlite §9.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/records/store.h"

namespace clinic::records {

enum class IndexKind : std::uint8_t { name = 1, phone, email, birth_date, number, sender, appointment, message };

std::string normal_name(std::string_view name);   // lower case, words apart by one space, no punctuation
std::string normal_phone(std::string_view phone); // digits; without 00, and without the 1 before ten digits
std::string normal_email(std::string_view email); // lower case
std::string trimmed(std::string_view text);

crypto::Token index_token(Session& session, IndexKind kind, std::string_view normal);

// A number as its authority wrote it; test traffic has numbers of its own, so that it never meets a real person.
crypto::Token number_token(Session& session, std::string_view name_space, std::string_view value, bool test_traffic);
crypto::Token appointment_token(Session& session, std::string_view name_space, std::string_view key, bool test_traffic);

} // namespace clinic::records
