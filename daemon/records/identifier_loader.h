// Reads the rest of the identifiers on a thread of its own, slice by slice, so that a large store serves at once.
//   Errors:  what may pass (the disk, memory) is logged and tried again; other damage ends it and is handed over: the
//            last check would hold everything for ever.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <thread>

#include "crypto/base/result.h"

namespace clinic::records {

class IdentifierLoader {
public:
    // Rows behind that number; answers where to go on, nullopt: all are read.
    using Slice = std::function<Result<std::optional<std::int64_t>>(std::int64_t after)>;

    // The thread that is made calls `slice`, until the last, the end or damage.
    IdentifierLoader(Slice slice, std::int64_t after, std::function<void(const Error&)> damaged);

private:
    void run(const std::stop_token& stop, std::int64_t after) const;

    Slice slice_;
    std::function<void(const Error&)> damaged_;
    std::jthread thread_; // last: joined first
};

} // namespace clinic::records
