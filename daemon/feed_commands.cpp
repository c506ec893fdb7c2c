#include "daemon/feed_commands.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "daemon/asked.h"
#include "daemon/audit/trail.h"

namespace clinic::daemon {
namespace {

using control::Answer;
using control::Question;
using intake::FeedSettings;
using nlohmann::json;

constexpr Error no_such_feed{Errc::not_found, "no such feed", "look at: clinicctl feed list"};

Result<json> books(records::Session& session, const FeedSettings& feed) {
    const auto counts = intake::feed_counts(session, intake::feed_of(feed.name));
    CLINIC_TRY(counts);
    return json{{"received", counts->received},
                {"stored", counts->stored},
                {"quarantined", counts->quarantined},
                {"refused", counts->refused},
                {"duplicate", counts->duplicate},
                {"last_at", counts->last_at ? json(base::rfc3339(*counts->last_at)) : json{}},
                {"silent", intake::is_silent(feed.expected, counts->last_at, session.now())}};
}

json to_json(const intake::TurnedAway::Caller& caller) {
    return {{"address", intake::text_of(caller.address)},
            {"by_tls", caller.secured},
            {"times", caller.times},
            {"last_at", base::rfc3339(caller.last_at)}};
}

class FeedDesk {
public:
    FeedDesk(records::Store& store, intake::Feeds& feeds, const intake::Ingest& ingest)
        : store_{store}, feeds_{feeds}, ingest_{ingest} {}

    Result<Answer> list(const Question&) const {
        json rows = json::array();
        CLINIC_TRY(store_.read([&](records::Snapshot& session) -> Result<void> {
            const auto feeds = intake::Feeds::stored(session);
            CLINIC_TRY(feeds);
            for (const auto& feed : *feeds) {
                auto counts = books(session, feed);
                CLINIC_TRY(counts);
                json row = intake::to_json(feed);
                row["books"] = std::move(*counts);
                rows.push_back(std::move(row));
            }
            return {};
        }));
        json strangers = json::array();
        for (const auto& caller : feeds_.turned_away().callers()) strangers.push_back(to_json(caller));
        return say({{"feeds", std::move(rows)},
                    {"unsupported", ingest_.unsupported()},
                    {"turned_away", std::move(strangers)}});
    }

    Result<Answer> show(const Question& question) const {
        json row;
        CLINIC_TRY(store_.read([&](records::Snapshot& session) -> Result<void> {
            const auto feed = find(session, word(question.args, "name"));
            CLINIC_TRY(feed);
            auto counts = books(session, *feed);
            CLINIC_TRY(counts);
            row = intake::to_json(*feed);
            row["books"] = std::move(*counts);
            return {};
        }));
        return say(std::move(row));
    }

    Result<Answer> add(const Question& question) const {
        return change(question, "feed_add", [&](records::Transaction& txn) -> Result<FeedSettings> {
            if (find(txn, word(question.args, "name")))
                return Error{Errc::conflict, "there is a feed of that name", "change it with: clinicctl feed set"};
            return FeedSettings{};
        });
    }

    Result<Answer> set(const Question& question) const {
        return change(question, "feed_set",
                      [&](records::Transaction& txn) { return find(txn, word(question.args, "name")); });
    }

    Result<Answer> remove(const Question& question) const {
        const std::string name = word(question.args, "name");
        CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
            CLINIC_TRY(feeds_.remove(txn, name)); // an unknown name ends here, so the note is one of ours
            return configured(txn, question.asker, "feed_remove", name);
        }));
        return say(json::object());
    }

private:
    static Result<FeedSettings> find(records::Session& session, const std::string& name) {
        auto feeds = intake::Feeds::stored(session);
        CLINIC_TRY(feeds);
        const auto found =
            std::find_if(feeds->begin(), feeds->end(), [&](const auto& one) { return one.name == name; });
        if (found == feeds->end()) return no_such_feed;
        return std::move(*found);
    }

    static Result<void> configured(records::Transaction& txn, uid_t asker, Literal what, const std::string& name) {
        CLINIC_TRY(audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                              .actor_id = asker,
                                              .action = audit::Action::configure,
                                              .purpose = audit::Purpose::operations,
                                              .detail = what,
                                              .note = name}));
        return {};
    }

    // `begin` gives what the change starts from.
    template <class Begin>
    Result<Answer> change(const Question& question, Literal what, const Begin& begin) const {
        json row;
        CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
            auto feed = begin(txn);
            CLINIC_TRY(feed);
            CLINIC_TRY(intake::apply(*feed, question.args));
            if (question.args.contains("expect")) feed->expected.since = txn.now();
            CLINIC_TRY(feeds_.put(txn, *feed));
            row = intake::to_json(*feed);
            return configured(txn, question.asker, what, feed->name);
        }));
        return say(std::move(row));
    }

    records::Store& store_;
    intake::Feeds& feeds_;
    const intake::Ingest& ingest_;
};

} // namespace

control::Commands feed_commands(records::Store& store, intake::Feeds& feeds, const intake::Ingest& ingest) {
    const auto desk = std::make_shared<const FeedDesk>(store, feeds, ingest);
    const auto ask = [desk](Result<Answer> (FeedDesk::*what)(const Question&) const) {
        return control::Command{.run = [desk, what](const Question& question) { return (*desk.*what)(question); }};
    };
    return {{"feed-list", ask(&FeedDesk::list)},
            {"feed-show", ask(&FeedDesk::show)},
            {"feed-add", ask(&FeedDesk::add)},
            {"feed-set", ask(&FeedDesk::set)},
            {"feed-remove", ask(&FeedDesk::remove)}};
}

} // namespace clinic::daemon
