#include "daemon/intake/feeds.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "crypto/base/log.h"
#include "daemon/intake/feed_books.h"

namespace clinic::intake {
namespace {

using nlohmann::json;

constexpr Literal setting_key = "feeds";
constexpr std::size_t setting_bytes_max = 4 * 1'048'576;

std::string sender_of(const Header& header) {
    return header.sending_application + '|' + header.sending_facility;
}

} // namespace

Result<std::shared_ptr<const FeedTable>> FeedTable::make(const std::vector<std::string>& listed,
                                                         std::vector<FeedSettings> feeds) {
    auto table = std::make_shared<FeedTable>();
    auto all = AddressList::parse(listed);
    CLINIC_TRY(all);
    table->listed_ = std::move(*all);
    for (const auto& feed : feeds) {
        auto places = AddressList::parse(feed.addresses);
        CLINIC_TRY(places);
        table->places_.push_back(std::move(*places));
    }
    table->feeds_ = std::move(feeds);
    return std::shared_ptr<const FeedTable>{std::move(table)};
}

int FeedTable::fits(std::size_t at, const Peer& peer) const {
    const FeedSettings& feed = feeds_[at];
    const bool is_there = places_[at].contains(peer.address);
    const auto& names = peer.names;
    const bool shows_it = peer.secured && std::find(names.begin(), names.end(), feed.certificate_name()) != names.end();
    if (shows_it && (is_there || feed.addresses.empty())) return 2;
    return feed.certificate.empty() && is_there ? 1 : 0;
}

bool FeedTable::may_knock(const Address& address) const {
    if (listed_.contains(address)) return true;
    for (std::size_t at = 0; at < feeds_.size(); ++at)
        if (feeds_[at].addresses.empty() || places_[at].contains(address)) return true;
    return false;
}

bool FeedTable::admits(const Peer& peer) const {
    if (listed_.contains(peer.address)) return true;
    for (std::size_t at = 0; at < feeds_.size(); ++at)
        if (fits(at, peer) > 0) return true;
    return false;
}

const FeedSettings* FeedTable::find(const Peer& peer, const Header* header) const {
    const std::string sender = header != nullptr ? sender_of(*header) : std::string{};
    const FeedSettings* best = nullptr;
    int best_rank = 0;
    for (std::size_t at = 0; at < feeds_.size(); ++at) {
        const FeedSettings& feed = feeds_[at];
        const int fit = fits(at, peer);
        if (fit == 0 || (!feed.sender.empty() && feed.sender != sender)) continue;
        const int rank = 2 * fit + (feed.sender.empty() ? 0 : 1);
        if (rank > best_rank) {
            best = &feed;
            best_rank = rank;
        }
    }
    return best;
}

const FeedSettings* FeedTable::named(std::string_view name) const {
    for (const auto& feed : feeds_)
        if (feed.name == name) return &feed;
    return nullptr;
}

Result<std::shared_ptr<Feeds>> Feeds::make(std::vector<std::string> listed) {
    std::shared_ptr<Feeds> feeds{new Feeds{std::move(listed)}};
    CLINIC_TRY(feeds->use({}));
    return feeds;
}

std::shared_ptr<const FeedTable> Feeds::table() const {
    const std::scoped_lock lock{mutex_};
    return table_;
}

Result<void> Feeds::use(std::vector<FeedSettings> feeds) {
    const std::scoped_lock lock{mutex_};
    auto table = FeedTable::make(listed_, std::move(feeds));
    CLINIC_TRY(table);
    table_ = std::move(*table);
    return {};
}

Result<void> Feeds::relist(std::vector<std::string> listed) {
    const std::scoped_lock lock{mutex_};
    auto table = FeedTable::make(listed, table_->feeds());
    CLINIC_TRY(table);
    listed_ = std::move(listed);
    table_ = std::move(*table);
    return {};
}

Result<std::vector<FeedSettings>> Feeds::stored(records::Session& session) {
    constexpr Error corrupt{Errc::corrupt, "the stored feeds are not as written"};
    const auto text = records::setting(session, setting_key);
    CLINIC_TRY(text);
    std::vector<FeedSettings> feeds;
    if (!*text) return feeds;
    const auto list = base::parse_json(**text, setting_bytes_max, 4);
    if (!list || !list->is_array()) return corrupt;
    for (const auto& one : *list) {
        FeedSettings feed;
        if (!apply(feed, one)) return corrupt;
        feeds.push_back(std::move(feed));
    }
    return feeds;
}

Result<void> Feeds::load(records::Session& session) {
    auto feeds = stored(session);
    CLINIC_TRY(feeds);
    return use(std::move(*feeds));
}

Result<void> Feeds::keep(records::Transaction& txn, std::vector<FeedSettings> feeds) {
    json list = json::array();
    for (const auto& feed : feeds) list.push_back(to_json(feed));
    CLINIC_TRY(FeedTable::make({}, feeds)); // what cannot be used is not stored
    CLINIC_TRY(records::set_setting(txn, setting_key, base::dump_json(list)));
    txn.on_commit([this, next = std::move(feeds)] {
        if (const auto used = use(next); !used) base::log(base::Level::error, "feeds", used.error());
    });
    return {};
}

Result<void> Feeds::put(records::Transaction& txn, const FeedSettings& feed) {
    CLINIC_TRY(check(feed));
    auto feeds = stored(txn);
    CLINIC_TRY(feeds);
    const auto known =
        std::find_if(feeds->begin(), feeds->end(), [&](const auto& one) { return one.name == feed.name; });
    if (known != feeds->end())
        *known = feed;
    else if (feeds->size() < feeds_max)
        feeds->push_back(feed);
    else
        return Error{Errc::full, "there are 64 feeds already", "remove one"};
    CLINIC_TRY(open_sender_books(txn, feed.name));
    return keep(txn, std::move(*feeds));
}

Result<void> Feeds::remove(records::Transaction& txn, std::string_view name) {
    auto feeds = stored(txn);
    CLINIC_TRY(feeds);
    if (std::erase_if(*feeds, [&](const auto& one) { return one.name == name; }) == 0)
        return Error{Errc::not_found, "no such feed", "look at: clinicctl feed list"};
    CLINIC_TRY(close_sender_books(txn, name));
    return keep(txn, std::move(*feeds));
}

// A list that does not decode was told of at the start, and has nobody to expect.
Result<void> Feeds::mend_expectations(records::Transaction& txn, Timestamp ahead_of) {
    auto feeds = stored(txn);
    if (!feeds) return feeds.error().code == Errc::corrupt ? Result<void>{} : feeds.error();
    bool is_mended = false;
    for (FeedSettings& feed : *feeds) {
        if (feed.expected.since <= ahead_of) continue;
        feed.expected.since = txn.now();
        is_mended = true;
    }
    return is_mended ? keep(txn, std::move(*feeds)) : Result<void>{};
}

} // namespace clinic::intake
