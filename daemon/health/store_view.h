// What the status takes from the store, in one short snapshot.
//   Threads: values; any.
#pragma once

#include <optional>

#include "daemon/health/health.h"

namespace clinic::health {

struct StoreView {
    outbox::Books crm;
    std::vector<outbox::DeadCount> dead;
    std::vector<Feed> feeds, senders;
    std::string basis = "off";
    bool basis_expired = false;
    Timestamp basis_expires{};
    records::CheckPlace check;
    std::int64_t quarantine_items = 0, audit_entries = 0;
    std::int64_t links_waiting = 0; // contacts in GHL that may be several people's, and differences for a person
    bool crm_full = false;          // there is no room for what is new in GHL
    Consistency consistency;
};

inline constexpr int events_frame_max = 32;

// The two feeds, present from the start.
std::vector<Feed> no_messages_yet();
Result<StoreView> read_view(records::Session& session);

// Not acknowledged, with a higher number than `after`: oldest first, at most events_frame_max.
Result<std::vector<envelope::Device::Event>> open_events(records::Session& session, std::int64_t after);
// Answers how many that nobody had acknowledged went for it: the oldest, beyond events_stored_max.
Result<std::int64_t> keep_event(records::Transaction& txn, const envelope::Device::Event& event);
Result<void> close_events(records::Transaction& txn, std::int64_t number);
Result<std::int64_t> newest_event(records::Session& session); // 0: none
// Whether central ops have acknowledged the newest of that code behind `after`; nullopt: there is none.
Result<std::optional<bool>> acknowledged(records::Session& session, Literal code, std::int64_t after);
Result<Timestamp> last_trusted_time(records::Session& session);
Result<void> keep_trusted_time(records::Transaction& txn, Timestamp at);

} // namespace clinic::health
