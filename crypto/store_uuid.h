// Which store a file belongs to: 16 random bytes, made with the store.
#pragma once

#include <array>
#include <cstddef>

namespace clinic::crypto {

using StoreUuid = std::array<std::byte, 16>;

} // namespace clinic::crypto
