// Who is served from the records. While they are closed: senders are answered AE, clinic-syncd hears the mode,
// clinicctl gets the status; and they are tried again until they open.
//   Errors:  start: a door that cannot be opened at all (system). Records that do not open are no error: see
//            Health::records_closed.
//   Threads: start and the destructor on the main thread; the trying has one of its own.
//   Source:  docs/status.md, the modes.
#pragma once

#include <memory>

#include "crypto/base/vitals.h"
#include "daemon/change_desk.h"
#include "daemon/containment_report.h"
#include "daemon/health/health.h"
#include "daemon/intake/feeds.h"
#include "daemon/intake/tls_session.h"
#include "daemon/options.h"
#include "daemon/sockets.h"

namespace clinic::daemon {

class Doors {
public:
    // `tls`: null where MLLP by TLS is not served. What is referred to must outlive the doors.
    Doors(const Options& options, const Sockets& sockets, std::shared_ptr<const intake::TlsContext> tls,
          std::shared_ptr<intake::Feeds> feeds, health::Health& health, const ContainmentReport& containment,
          ChangeDesk& changes, base::Vitals& vitals, const Clock& clock);
    ~Doors(); // senders are answered and sent away, then the store finishes what was posted

    Result<void> start();

private:
    class State;
    std::unique_ptr<State> state_;
};

} // namespace clinic::daemon
