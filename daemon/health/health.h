// What the box knows of itself: one Status for the page, the API, the terminal, /metrics and central ops.
//   Threads: any; the store is read through short snapshots. `status` is computed at most every 200 ms.
//   Source:  design, "The books", "The store" (named modes), "Identity of things" (clock trust); ui.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "crypto/base/clock.h"
#include "daemon/outbox/outbox.h"
#include "daemon/records/store.h"
#include "sync/envelope/frame.h"

namespace clinic::health {

enum class Mode : std::uint8_t { running, locked, damaged, full, clock_untrusted, restoring };
const char* name(Mode mode);             // "clock-untrusted"

// A part of "No way out", as the kernel answers.
struct ContainmentPart {
    Literal part;                        // "network namespace", "system call filter", "own user", …
    bool holds;
    Literal detail;
};

struct Feed {
    std::string feed;                    // "mllp", "csv"
    std::int64_t received = 0, stored = 0, quarantined = 0, refused = 0, duplicate = 0;
    std::int64_t last_message_s = -1;    // age; -1: never
};

struct Need {                            // one line under "What needs me": at most seven
    std::string code;                    // E####
    Literal what, meaning, by_itself, action;
    Timestamp since{};
    std::int64_t number = 0;             // a count in the sentence, where it has one
};

struct Status {
    enum class Well : std::uint8_t { well, look, not_working } well = Well::well;
    Timestamp at{}, since{};             // of the state in `well`
    Mode mode = Mode::running;
    std::string box, version, basis;
    std::int64_t basis_expires_s = -1;   // from now; -1: none
    std::int64_t uptime_s = 0;
    outbox::Books crm;
    std::vector<Feed> feeds;
    std::vector<Need> needs;
    std::vector<ContainmentPart> containment;
    envelope::TimeState lanes;           // as clinic-syncd last said
    std::int64_t lanes_age_s = -1;       // -1: clinic-syncd has not spoken yet
    bool clock_trusted = false;
    records::StoreNumbers store;
    std::int64_t patients = 0, quarantine_items = 0, audit_entries = 0;
    int disk_free_percent = 0;
};

struct Settings {
    std::string box, version;
    std::filesystem::path records;       // for the free space of its file system
};

class Health {
public:
    Health(Settings settings, const Clock& clock);
    ~Health();

    void attach(records::Store& store);                       // from here on the status has books
    void detach();                                            // before the store goes away
    void set_mode(Mode mode, const Error& cause);
    void set_containment(std::vector<ContainmentPart> parts);
    void lanes(const envelope::TimeState& said);              // clinic-syncd's last word; also moves clock trust
    bool clock_trusted() const;                               // two sources agree: floor and kernel or HTTPS date
    void changed();                                           // something moved; listeners are woken, at most every 100 ms
    void on_change(std::function<void()> listener);           // set once, before threads; called from any thread

    // Events for central ops, kept in the store until acknowledged. Codes: docs/events.md.
    void raise(Literal code, Literal severity);
    void acknowledge_events(std::int64_t number);

    Status status();
    envelope::Device device();

private:
    struct State;
    std::unique_ptr<State> state_;
};

std::string to_json(const Status& status);                    // GET /api/v1/status; docs/status.md; stable
std::string to_metrics(const Status& status);                 // Prometheus text format 0.0.4

}  // namespace clinic::health
