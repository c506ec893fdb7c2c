// What may stand in a support bundle: of a document only the places that are listed, each only as its kind. All else is
// left out, whatever it is called: a name that is new in the document is not there before somebody lists it.
//   Bounds:  the first 200 of a list.
//   Threads: any; stateless.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

namespace clinic::bundle {

enum class Kind : std::uint8_t {
    number,
    flag,
    word,  // letters, digits and ._:~+-, at most 64 in all: states, codes, ids and versions of ours
    words, // the same with blanks between them: names of parts
    time   // RFC 3339, UTC
};

struct Allowed {
    std::string_view path; // "store.check.last"; "needs[].code" of each in a list
    Kind kind;
};

// What is there and is of another kind is null.
nlohmann::json only(const nlohmann::json& from, std::span<const Allowed> places);
bool fits(const nlohmann::json& value, Kind kind);

} // namespace clinic::bundle
