// Looks at what GHL's location has: at the start, each hour, when GHL refuses what we write, and when clinicctl asks.
// What it finds lacking is on the board; where that is a field that we write, nothing is written until it is mended.
//   Bounds:  five requests a look, one more a field that is made; between two looks that doubt asks for:
//   `doubt_spacing`. Errors:  what could not be read is named in the Inventory; the last one that was read stands.
//   Threads: `run` in its own; the rest from any, one look at a time.
//   Source:  facts/ghl-api §5 no. 8; docs/ghl.md, "What the location has".
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <stop_token>

#include "crypto/base/vitals.h"
#include "sync/channel/ghl/ghl_client.h"
#include "sync/channel/ghl/inventory.h"
#include "sync/lane/board.h"
#include "sync/lane/channel.h"
#include "sync/lane/egress_client.h"
#include "sync/lane/rate_budget.h"

namespace clinic::ghl {

enum class Extent : std::uint8_t {
    fields,       // one request, and one more where a pipeline is configured
    all,          // tags, pipelines and calendars too
    all_and_make, // and the fields of ours that are not there are made
};

struct SurveyTimes {
    base::Micros period = std::chrono::hours{1};
    base::Micros lacking_period = std::chrono::minutes{5}; // while something is lacking
    base::Micros retry_cap = std::chrono::minutes{5};      // after a look that could not read the fields
    base::Micros doubt_spacing = std::chrono::minutes{1};
};

class Surveyor {
public:
    struct Means {
        GhlClient& client;
        lane::RateBudget& budget;
        const WriteRules& rules;
        lane::Board& board;
        const Clock& clock;
    };
    Surveyor(const Means& means, std::filesystem::path egress, SurveyTimes times = {}, base::Pulse pulse = {});

    void run(std::stop_token stop);
    // Each request is asked for, as any.
    Inventory look(Extent extent, std::stop_token stop) { return look(extent, {}, std::move(stop)); }
    // GHL refused a body: is it for what the location lacks? Looked up, unless that was just done or is being done.
    bool doubt(std::stop_token stop);
    // Why nothing can be written; nothing: as far as is known it can.
    std::optional<lane::Fault> lacking() const;
    bool lacks_pipeline() const; // the configured one, or a stage of it: cases wait, and nothing else

private:
    Inventory look(Extent extent, const base::Pulse& pulse, std::stop_token stop);
    Inventory look_now(Extent extent, const base::Pulse& pulse, std::stop_token stop); // under look_mutex_
    void judge(const Inventory& found);

    const Means means_;
    const SurveyTimes times_;
    const base::Pulse pulse_;
    std::mutex look_mutex_; // one look at a time
    lane::EgressClient egress_;
    mutable std::mutex mutex_;
    bool fields_lack_ = false;
    std::optional<envelope::Lack> pipeline_lack_;
    std::optional<base::Micros> looked_at_;
};

} // namespace clinic::ghl
