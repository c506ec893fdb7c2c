#include "daemon/message_commands.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "daemon/asked.h"
#include "daemon/audit/trail.h"
#include "daemon/intake/hl7_time.h"
#include "daemon/intake/mask.h"
#include "daemon/intake/text_encoding.h"
#include "daemon/reason.h"
#include "daemon/records/messages.h"
#include "daemon/records/quarantine.h"
#include "daemon/web/words/words.h"

namespace clinic::daemon {
namespace {

using control::Answer;
using control::Question;
using nlohmann::json;

constexpr std::int64_t rows_shown_max = 200, rows_shown = 20;
constexpr int items_in_turn_max = 100;

// "90m", "12h", "7d": so long ago.
std::optional<base::Micros> span(std::string_view text) {
    if (text.size() < 2) return std::nullopt;
    std::int64_t count = 0;
    const char* end = text.data() + text.size() - 1;
    const auto [at, failed] = std::from_chars(text.data(), end, count);
    if (failed != std::errc{} || at != end || count < 0 || count > 100'000) return std::nullopt;
    if (text.back() == 'm') return std::chrono::minutes{count};
    if (text.back() == 'h') return std::chrono::hours{count};
    return text.back() == 'd' ? std::optional<base::Micros>{std::chrono::hours{24 * count}} : std::nullopt;
}

Result<Timestamp> since(const std::string& text, Timestamp now) {
    if (text.empty()) return Timestamp{};
    if (const auto ago = span(text)) return now - *ago;
    const auto moment = intake::read_time(text);
    if (moment && *moment) return (*moment)->at;
    return Error{Errc::malformed, "--since is no time", "write 2026-11-24, 2026-11-24T09:00, 90m, 12h or 7d"};
}

audit::Entry look(const Question& question, Literal what) {
    return {.actor = audit::Actor::operator_,
            .actor_id = question.asker,
            .action = audit::Action::read,
            .purpose = audit::Purpose::support,
            .detail = what};
}

// What the entry of one opened message says: which, and why where it is revealed.
Result<audit::Entry> opening(const Question& question, std::int64_t id, bool reveal, Literal shown, Literal revealed) {
    audit::Entry entry = look(question, shown);
    entry.note = std::to_string(id);
    if (!reveal) return entry;
    const auto why = reason(question.args);
    CLINIC_TRY(why);
    entry.detail = revealed;
    entry.action = audit::Action::disclose;
    entry.note += ": " + *why;
    return entry;
}

// UTF-8 for the operator's eyes, read as its sender's messages are.
json text_of(const std::string& raw, bool reveal, std::string_view fallback_set) {
    if (!reveal) return intake::masked(raw);
    const auto message = intake::parse(raw, fallback_set);
    const auto said =
        message ? std::vector<std::string_view>{message->header().character_set} : std::vector<std::string_view>{};
    return intake::to_utf8(raw, said, fallback_set).text;
}

int limit_of(const Question& question) {
    return static_cast<int>(std::clamp<std::int64_t>(number(question.args, "limit", rows_shown), 1, rows_shown_max));
}

json message_row(const records::KeptMessage& message, const std::string& raw) {
    const auto header = intake::read_header(raw);
    return {{"id", message.id},
            {"feed", message.feed},
            {"received_at", base::rfc3339(message.received_at)},
            {"bytes", message.bytes},
            {"kind", header ? intake::kind_of(*header) : "?^?"},
            {"of_a_patient", message.patient.has_value()}};
}

// What a person does about it; null: it is settled.
json next_step(const records::QuarantineItem& item) {
    if (item.is_settled()) return json{};
    const bool is_line = item.feed == intake::feed_csv.c_str();
    return words::text(is_line ? "quarantine.line.next" : "quarantine.message.next").c_str();
}

json item_row(const records::QuarantineItem& item) {
    return {{"id", item.id},
            {"feed", item.feed},
            {"reason", item.reason},
            {"line", item.at.line},
            {"segment", item.at.segment},
            {"field", item.at.field},
            {"bytes", item.bytes},
            {"received_at", base::rfc3339(item.received_at)},
            {"attempts", 1 + item.replays},
            {"next", next_step(item)},
            {"replayed_at", item.replayed_at ? json(base::rfc3339(*item.replayed_at)) : json{}},
            {"replayed_as", item.replayed_at ? json(item.replayed_as) : json{}}};
}

class Browser {
public:
    Browser(records::Store& store, intake::Ingest& ingest, const intake::Feeds& feeds)
        : store_{store}, ingest_{ingest}, feeds_{feeds} {}

    // One entry covers the list, with everybody whose message is opened for its kind.
    Result<Answer> list(const Question& question) const {
        json rows = json::array();
        CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
            const auto from = since(word(question.args, "since"), txn.now());
            CLINIC_TRY(from);
            const auto found = records::kept_messages(
                txn, {.feed = feed(question), .since = *from, .before = number(question.args, "before", 0)},
                limit_of(question));
            CLINIC_TRY(found);
            audit::Entry entry = look(question, "messages_list");
            for (const auto& message : *found)
                if (message.patient &&
                    std::find(entry.subjects.begin(), entry.subjects.end(), *message.patient) == entry.subjects.end())
                    entry.subjects.push_back(*message.patient);
            const auto why = audit::Trail::append(txn, entry);
            CLINIC_TRY(why);
            for (const auto& message : *found) {
                const auto raw = records::open_message(txn, *why, message.id);
                CLINIC_TRY(raw);
                rows.push_back(message_row(message, *raw));
            }
            return {};
        }));
        return say(std::move(rows));
    }

    Result<Answer> show(const Question& question) const {
        const std::int64_t id = number(question.args, "id", 0);
        const bool reveal = question.args.value("reveal", false);
        json facts;
        CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
            const auto message = records::kept_message(txn, id);
            CLINIC_TRY(message);
            auto entry = opening(question, id, reveal, "message_show", "message_reveal");
            CLINIC_TRY(entry);
            if (message->patient) entry->subjects.push_back(*message->patient);
            const auto why = audit::Trail::append(txn, *entry);
            CLINIC_TRY(why);
            const auto raw = records::open_message(txn, *why, id);
            CLINIC_TRY(raw);
            facts = message_row(*message, *raw);
            facts["revealed"] = reveal;
            facts["text"] = text_of(*raw, reveal, fallback_of(message->feed));
            return {};
        }));
        return say(std::move(facts));
    }

    Result<Answer> quarantine_list(const Question& question) const {
        json items = json::array();
        CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
            CLINIC_TRY(audit::Trail::append(txn, look(question, "quarantine_list")));
            const auto found = records::quarantined(txn, number(question.args, "before", 0), limit_of(question));
            CLINIC_TRY(found);
            for (const auto& item : *found) items.push_back(item_row(item));
            return {};
        }));
        return say(std::move(items));
    }

    Result<Answer> quarantine_show(const Question& question) const {
        const std::int64_t id = number(question.args, "id", 0);
        const bool reveal = question.args.value("reveal", false);
        json facts;
        CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
            const auto item = records::quarantine_item(txn, id);
            CLINIC_TRY(item);
            const auto entry = opening(question, id, reveal, "quarantine_show", "quarantine_reveal");
            CLINIC_TRY(entry);
            const auto why = audit::Trail::append(txn, *entry);
            CLINIC_TRY(why);
            const auto raw = records::open_quarantined(txn, *why, id);
            CLINIC_TRY(raw);
            facts = item_row(*item);
            facts["revealed"] = reveal;
            facts["text"] = text_of(*raw, reveal, fallback_of(item->feed));
            return {};
        }));
        return say(std::move(facts));
    }

    // One item, or the next of those that wait; `next` is where to go on, null at the end.
    Result<Answer> replay(const Question& question) const {
        const bool all = question.args.value("all", false);
        const auto items = meant(question, intake::feed_mllp.c_str()); // lines of CSV cannot be replayed
        CLINIC_TRY(items);
        json outcomes = json::array();
        int exit = 0;
        for (const std::int64_t id : *items) {
            const auto as = ingest_.replay(id, question.asker);
            if (!as && !all) return as.error();
            const bool taken = as && (*as == intake::Booked::stored || *as == intake::Booked::duplicate);
            if (!taken) exit = 1;
            outcomes.push_back({{"id", id}, {"as", as ? intake::name(*as) : as.error().what.c_str()}});
        }
        return say({{"items", std::move(outcomes)}, {"next", next(*items, all)}}, exit);
    }

    // The same, given up: each with an entry of its own, which says why.
    Result<Answer> discard(const Question& question) const {
        const auto why = reason(question.args);
        CLINIC_TRY(why);
        const auto items = meant(question, {});
        CLINIC_TRY(items);
        json outcomes = json::array();
        CLINIC_TRY(store_.write([&](records::Transaction& txn) -> Result<void> {
            for (const std::int64_t id : *items) {
                CLINIC_TRY(records::discard(txn, id));
                CLINIC_TRY(audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                                      .actor_id = question.asker,
                                                      .action = audit::Action::update,
                                                      .purpose = audit::Purpose::operations,
                                                      .detail = "quarantine_discard",
                                                      .note = std::to_string(id) + ": " + *why}));
                outcomes.push_back({{"id", id}, {"as", "discarded"}});
            }
            return {};
        }));
        return say({{"items", std::move(outcomes)}, {"next", next(*items, question.args.value("all", false))}});
    }

private:
    // The items that a question is about: the one of its number, or the next of those that wait.
    Result<std::vector<std::int64_t>> meant(const Question& question, std::string_view feed_otherwise) const {
        if (!question.args.value("all", false)) return std::vector{number(question.args, "id", 0)};
        const std::string asked = feed(question);
        std::vector<std::int64_t> items;
        CLINIC_TRY(store_.read([&](records::Snapshot& session) -> Result<void> {
            auto waiting = records::waiting_items(session, asked.empty() ? feed_otherwise : asked,
                                                  number(question.args, "after", 0), items_in_turn_max);
            CLINIC_TRY(waiting);
            items = std::move(*waiting);
            return {};
        }));
        return items;
    }

    // Where to go on; null: that was all.
    static json next(const std::vector<std::int64_t>& items, bool all) {
        const bool more = all && items.size() == static_cast<std::size_t>(items_in_turn_max);
        return more ? json(items.back()) : json{};
    }

    std::string fallback_of(const std::string& feed) const {
        const auto table = feeds_.table();
        const auto* named = table->named(intake::sender_of(feed));
        return named ? named->rules.character_set : std::string{};
    }

    // "mllp" and "csv" are feeds; any other name is a sender's.
    static std::string feed(const Question& question) {
        const std::string name = word(question.args, "feed");
        return name.empty() || name == intake::feed_mllp.c_str() || name == intake::feed_csv.c_str()
                   ? name
                   : intake::feed_of(name);
    }

    records::Store& store_;
    intake::Ingest& ingest_;
    const intake::Feeds& feeds_;
};

} // namespace

control::Commands message_commands(records::Store& store, intake::Ingest& ingest, const intake::Feeds& feeds) {
    const auto browser = std::make_shared<const Browser>(store, ingest, feeds);
    const auto ask = [browser](Result<Answer> (Browser::*what)(const Question&) const) {
        return control::Command{
            .run = [browser, what](const Question& question) { return (*browser.*what)(question); }};
    };
    return {{"messages-list", ask(&Browser::list)},
            {"messages-show", ask(&Browser::show)},
            {"quarantine-list", ask(&Browser::quarantine_list)},
            {"quarantine-show", ask(&Browser::quarantine_show)},
            {"quarantine-replay", ask(&Browser::replay)},
            {"quarantine-discard", ask(&Browser::discard)}};
}

} // namespace clinic::daemon
