// What people change of the running box beside its records: it takes nothing more in, takes in again, reads its
// settings anew. Each is in the audit chain before it is done. docs/dbus.md, docs/clinicctl.md.
//   Bounds:  waiting_max changes wait for the records to open; beyond them none is made until then.
//   Errors:  refused, malformed, full, and those of the store: nothing was changed.
//   Threads: any.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "crypto/base/clock.h"
#include "daemon/control/control_server.h"
#include "daemon/health/health.h"
#include "daemon/intake/feeds.h"
#include "daemon/options.h"
#include "daemon/records/store.h"

namespace clinic::daemon {

class ChangeDesk {
public:
    static constexpr std::size_t waiting_max = 64;

    // What it changes, which must outlive it.
    struct Box {
        health::Health& health;
        intake::Feeds& feeds;
        const Options& options;               // as read at the start
        const std::filesystem::path settings; // where they are read again
    };
    ChangeDesk(Box box, const Clock& clock) : box_{std::move(box)}, clock_{clock} {}

    // `reason`: empty by the bus, where polkit decides.
    Result<void> drain(uid_t who, bool begin, const std::string& reason = {});
    // Reads the settings file: `mllp.allow` counts from then on. The names of the others that differ.
    Result<std::vector<std::string>> reload(uid_t who, const std::string& reason = {});
    control::Commands commands();

    // The records were opened: what was changed while they were not comes into the audit chain.
    void opened(records::Store& store);
    void closed(); // waits for the entry that is being written

private:
    struct Change {
        uid_t who;
        Literal what;
        std::string reason;
        Timestamp at;
    };
    Result<void> note(Change change);

    const Box box_;
    const Clock& clock_;
    std::mutex mutex_;
    records::Store* store_ = nullptr; // null while they are closed; this and the next under mutex_
    std::vector<Change> waiting_;
};

} // namespace clinic::daemon
