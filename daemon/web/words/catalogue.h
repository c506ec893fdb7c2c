// The catalogue as data; its source is written from en.json while building, sorted by key.
#pragma once

#include <span>

#include "crypto/base/result.h"

namespace clinic::words {

struct Entry {
    Literal key, text;
};

std::span<const Entry> catalogue();

} // namespace clinic::words
