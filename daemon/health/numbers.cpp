#include "daemon/health/numbers.h"

namespace clinic::health {

Numbers numbers(const outbox::Books& books) {
    return {{"released", books.released},     {"pending", books.pending},
            {"leased", books.leased},         {"delivered", books.delivered},
            {"superseded", books.superseded}, {"withdrawn", books.withdrawn},
            {"parked", books.parked},         {"dead", books.dead},
            {"discarded", books.discarded}};
}

Numbers numbers(const Feed& feed) {
    return {{"received", feed.received},
            {"stored", feed.stored},
            {"quarantined", feed.quarantined},
            {"refused", feed.refused},
            {"duplicate", feed.duplicate}};
}

Numbers counters(const Status& status) {
    return {{"patients", status.patients},
            {"quarantine_items", status.quarantine_items},
            {"audit_entries", status.audit_entries},
            {"jobs_failed", static_cast<std::int64_t>(status.store.jobs_failed)},
            {"authentication_failures", static_cast<std::int64_t>(status.store.authentication_failures)},
            {"free_key_slots", status.store.free_key_slots},
            {"reserve_bytes", status.store.reserve_bytes},
            {"telemetry_dropped", status.telemetry_dropped},
            {"disk_free_percent", status.disk_free_percent}};
}

} // namespace clinic::health
