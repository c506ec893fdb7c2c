// Page 1 of a store: what it is made with, and what must never change in it.
#pragma once

#include <span>

#include "crypto/store_layout.h"

namespace clinic::crypto {

// Of a store that holds nothing yet: WAL mode, our page size and reserve.
Page empty_first_page();

// A page 1 of another size or reserve is a plain database being copied in: its last bytes would have no place.
bool is_our_first_page(std::span<const std::byte> page);

} // namespace clinic::crypto
