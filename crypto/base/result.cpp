#include "crypto/base/result.h"

namespace clinic::base {

const char* name(Errc code) {
    switch (code) {
    case Errc::malformed: return "malformed";
    case Errc::refused: return "refused";
    case Errc::not_found: return "not_found";
    case Errc::conflict: return "conflict";
    case Errc::unauthorized: return "unauthorized";
    case Errc::offline: return "offline";
    case Errc::throttled: return "throttled";
    case Errc::unknown: return "unknown";
    case Errc::full: return "full";
    case Errc::locked: return "locked";
    case Errc::tampered: return "tampered";
    case Errc::corrupt: return "corrupt";
    case Errc::newer: return "newer";
    case Errc::busy: return "busy";
    case Errc::timeout: return "timeout";
    case Errc::unsupported: return "unsupported";
    case Errc::system: return "system";
    }
    return "unnamed";
}

} // namespace clinic::base
