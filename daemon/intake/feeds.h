// Who may come in by the MLLP ports, and by what name: the addresses of the configuration, and the senders that the
// clinic has named (feed_settings.h), kept in the store and changed while running.
//   Bounds:  feeds_max.
//   Errors:  of the store, and as feed_settings.h; conflict (a name that is there), not_found.
//   Threads: table() and relist() any; load, put and remove the store's writer thread or a snapshot's.
#pragma once

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "daemon/intake/feed_settings.h"
#include "daemon/intake/frame.h"
#include "daemon/intake/hl7_message.h"
#include "daemon/intake/turned_away.h"
#include "daemon/records/store.h"

namespace clinic::intake {

// One state of the list. Const, so that a message is read to its end by the settings it began with.
class FeedTable {
public:
    static Result<std::shared_ptr<const FeedTable>> make(const std::vector<std::string>& listed,
                                                         std::vector<FeedSettings> feeds);

    bool may_knock(const Address& address) const; // on the TLS port, before its certificate is known
    bool admits(const Peer& peer) const;
    // The sender of a message: by certificate first, then by address; one that names MSH-3|MSH-4 before one that does
    // not. Null: nobody that has a name.
    const FeedSettings* find(const Peer& peer, const Header* header) const;
    const FeedSettings* named(std::string_view name) const;
    const std::vector<FeedSettings>& feeds() const { return feeds_; }

private:
    int fits(std::size_t at, const Peer& peer) const; // 0: not; 1: by address; 2: by certificate
    AddressList listed_;
    std::vector<FeedSettings> feeds_;
    std::vector<AddressList> places_; // of each feed
};

class Feeds {
public:
    // `listed`: addresses and CIDR blocks that may come in without a name. Errors: malformed.
    static Result<std::shared_ptr<Feeds>> make(std::vector<std::string> listed);

    std::shared_ptr<const FeedTable> table() const;
    // Other addresses than before may come in without a name, from the next message on; the named ones stay.
    // Errors: malformed, and nothing has changed.
    Result<void> relist(std::vector<std::string> listed);
    Result<void> load(records::Session& session);
    // In effect when the transaction is durable.
    Result<void> put(records::Transaction& txn, const FeedSettings& feed);
    Result<void> remove(records::Transaction& txn, std::string_view name);
    // An expectation that was set after `ahead_of`, by a clock that has been set back since, is set now.
    Result<void> mend_expectations(records::Transaction& txn, Timestamp ahead_of);
    static Result<std::vector<FeedSettings>> stored(records::Session& session);
    TurnedAway& turned_away() const { return turned_away_; } // told by the doors, asked by whoever names senders

private:
    explicit Feeds(std::vector<std::string> listed) : listed_{std::move(listed)} {}
    Result<void> keep(records::Transaction& txn, std::vector<FeedSettings> feeds);
    Result<void> use(std::vector<FeedSettings> feeds);

    mutable std::mutex mutex_;
    std::vector<std::string> listed_; // both under mutex_
    std::shared_ptr<const FeedTable> table_;
    mutable TurnedAway turned_away_; // what is told to it changes no list
};

} // namespace clinic::intake
