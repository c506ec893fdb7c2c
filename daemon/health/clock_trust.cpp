#include "daemon/health/clock_trust.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "daemon/health/findings.h"

namespace clinic::health {
namespace {

using namespace std::chrono_literals;

constexpr base::Micros lanes_life = 10min;           // what clinic-syncd said of the clock counts this long
constexpr base::Micros clock_step_back_max = 60s;    // a time server's small correction is no broken clock
constexpr base::Micros clock_step_forward_max = 24h; // a longer one wants both sources, or a person
constexpr base::Micros word_drift_max = 120s;        // what was said of the clock counts while it goes on as it went
constexpr std::int64_t https_offset_s_max = 120;

} // namespace

bool ClockTrust::hear(const envelope::TimeState& said) {
    const base::Micros now = clock_.monotonic();
    const bool news = said != said_ || !said_at_ || now - *said_at_ > silence_max;
    said_ = said;
    said_at_ = now;
    said_of_ = clock_.now();
    return news;
}

std::optional<base::Micros> ClockTrust::said_ago() const {
    if (!said_at_) return std::nullopt;
    return clock_.monotonic() - *said_at_;
}

bool ClockTrust::floor_holds(Timestamp now) const {
    return now >= floor_ && now >= last_trusted_ - clock_step_back_max;
}

// A box that was off for days looks the same, and its time server and GHL will say that it is right.
base::Micros ClockTrust::step_forward(Timestamp now) const {
    if (last_trusted_.micros == 0) return base::Micros{0};
    const base::Micros passed = last_trusted_at_ ? clock_.monotonic() - *last_trusted_at_ : base::Micros{0};
    const base::Micros ahead = now - (last_trusted_ + passed);
    return ahead > clock_step_forward_max ? ahead : base::Micros{0};
}

bool ClockTrust::went_on(Timestamp then, base::Micros then_monotonic, Timestamp now) const {
    const base::Micros drift = now - (then + (clock_.monotonic() - then_monotonic));
    return drift <= word_drift_max && drift >= -word_drift_max;
}

bool ClockTrust::person_said_so(Timestamp now) const {
    return confirmed_ && went_on(*confirmed_, confirmed_at_, now);
}

bool ClockTrust::trusted() const {
    const Timestamp now = clock_.now();
    if (person_said_so(now)) return true;
    if (!said_at_ || clock_.monotonic() - *said_at_ > lanes_life || !went_on(said_of_, *said_at_, now)) return false;
    const bool https = said_.https_offset_s && std::llabs(*said_.https_offset_s) <= https_offset_s_max;
    const bool stepped = step_forward(now).count() != 0;
    return floor_holds(now) && (stepped ? said_.kernel_synchronised && https : said_.kernel_synchronised || https);
}

Result<void> ClockTrust::may_be_confirmed() const {
    if (clock_.now() >= floor_) return {};
    return Error{Errc::refused, "the clock shows a time before this release",
                 "set the clock first: timedatectl set-time"};
}

void ClockTrust::confirm() {
    confirmed_ = clock_.now();
    confirmed_at_ = clock_.monotonic();
}

void ClockTrust::restore(Timestamp trusted) {
    last_trusted_ = std::max(last_trusted_, trusted);
}

std::optional<Timestamp> ClockTrust::remember() {
    if (!trusted()) return std::nullopt;
    const Timestamp at = clock_.now();
    last_trusted_ = person_said_so(at) ? at : std::max(last_trusted_, at); // a person's word may take it back
    last_trusted_at_ = clock_.monotonic();
    return at;
}

} // namespace clinic::health
