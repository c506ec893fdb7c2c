// Hears what clinic-relay tells this box, and hands it to clinicd: a fact, or a reason to ask GHL soon.
//   Rules:   a message is acknowledged when clinicd holds its fact durably, or has refused it for good; while clinicd
//            cannot be asked it stays with the broker. What is no message of the relay's, or holds a word that is not
//            configured, is acknowledged and counted: it would be the same the next time.
//   Errors:  none leave; the board says how much was heard. The polling finds what a webhook did not tell.
//   Threads: `run` in one of its own. A message is taken on the MQTT library's thread, while `run` waits; `look` is
//            called on it.
//   Source:  design, "From a message to GHL", step 5; docs/mqtt.md, "What a box hears"; docs/crm.md.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "crypto/base/clock.h"
#include "crypto/base/vitals.h"
#include "sync/channel/mqtt/broker/broker.h"
#include "sync/lane/backoff.h"
#include "sync/lane/board.h"
#include "sync/lane/egress_client.h"

namespace clinic::mqtt {

struct RelayLinkOptions {
    BrokerOptions broker; // its client id is the box's: `relay_client` makes ours of it
    std::string box;
    std::filesystem::path egress;
    std::chrono::milliseconds reply_max{2'000}; // the library's other connections wait as long
    std::chrono::milliseconds look_period{1'000};
    lane::BackoffLimits reconnect{.cap = std::chrono::seconds{10}};
    base::Pulse pulse = {};                           // each look, each try to connect
    std::function<void(envelope::CrmKind)> look = {}; // GHL is asked about things of this kind soon
};

class RelayLink {
public:
    RelayLink(RelayLinkOptions options, const envelope::WriteRules& rules, lane::Board& board, const Clock& clock);
    void run(std::stop_token stop);

private:
    Result<void> serve(const std::stop_token& stop); // one connection, to its end
    bool take(std::string_view bytes, const std::stop_token& stop);
    bool hand_on(const envelope::CrmFact& fact, const std::stop_token& stop);
    Result<envelope::Reply> ask(const envelope::CrmFact& fact, const std::stop_token& stop);
    bool heard(lane::Board::Heard what);

    RelayLinkOptions options_;
    const envelope::WriteRules& rules_;
    lane::Board& board_;
    const Clock& clock_;
    lane::EgressClient client_;      // of `run` until it is connected, then of `take`
    std::atomic<bool> taken_{false}; // something, over this connection
};

std::string relay_client(std::string_view box); // no box has this name

// Of these only the polling knows the state: GHL's webhook says no time by which it could be put in order, or clinicd
// may want to ask whose a contact is, which a stripped message does not hold.
bool is_reason_to_look(const envelope::CrmFact& fact);

} // namespace clinic::mqtt
