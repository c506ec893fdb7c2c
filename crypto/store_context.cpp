#include "crypto/store_context.h"

#include <bit>

#include "crypto/base/log.h"

namespace clinic::crypto {

void StoreContext::note_failure(Literal what, std::uint64_t index) {
    const std::uint64_t count = failures.fetch_add(1) + 1;
    if (!std::has_single_bit(count)) return;
    base::log(base::Level::error, "store", what,
              {{"index", static_cast<std::int64_t>(index)}, {"failures", static_cast<std::int64_t>(count)}});
}

} // namespace clinic::crypto
