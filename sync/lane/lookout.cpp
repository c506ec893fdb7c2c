#include "sync/lane/lookout.h"

#include "sync/lane/wait.h"

namespace clinic::lane {

Lookout::Lookout(Lane& lane, const Board& board, Reach& reach, const Clock& clock, LookoutTimes times,
                 base::Pulse pulse)
    : lane_{lane}, board_{board}, reach_{reach}, clock_{clock}, times_{times}, pulse_{std::move(pulse)} {}

void Lookout::run(std::stop_token stop) {
    auto greet_at = clock_.monotonic();
    while (sleep_for(stop, times_.look)) { // a silence has no event to wait for
        pulse_.beat();
        const auto waited = reach_.unanswered();
        lane_.quiet(waited > times_.patience);
        // A call under way tells as much as a greeting.
        if (!board_.watched() || waited.count() > 0 || clock_.monotonic() < greet_at) continue;
        greet(stop);
        greet_at = clock_.monotonic() + times_.period;
    }
}

// A lane that is closed for another reason stays so: a handshake is no proof that requests are taken.
void Lookout::greet(std::stop_token stop) {
    const auto fault = reach_.greet(stop);
    if (stop.stop_requested()) return;
    if (fault && lane_.up()) lane_.fault(*fault);
    if (!fault && was_out_) lane_.probe_now();
    was_out_ = fault.has_value();
}

} // namespace clinic::lane
