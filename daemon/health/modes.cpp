#include "daemon/health/modes.h"

namespace clinic::health {

const char* name(Mode mode) {
    switch (mode) {
    case Mode::running: return "running";
    case Mode::locked: return "locked";
    case Mode::damaged: return "damaged";
    case Mode::full: return "full";
    case Mode::clock_untrusted: return "clock-untrusted";
    case Mode::restoring: return "restoring";
    case Mode::draining: return "draining";
    }
    return "running";
}

} // namespace clinic::health
