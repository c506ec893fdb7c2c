#include "daemon/audit_commands.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "crypto/seal.h"
#include "daemon/asked.h"
#include "daemon/audit/trail.h"

namespace clinic::daemon {
namespace {

using control::Answer;
using control::Question;
using nlohmann::json;

constexpr std::int64_t rows_shown = 20, rows_shown_max = 200;
constexpr int links_in_turn_max = 1'000;

// Who reads who has read stands there too.
Result<void> note_look(records::Transaction& txn, const Question& question, Literal what) {
    const auto entry = audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                                  .actor_id = question.asker,
                                                  .action = audit::Action::read,
                                                  .purpose = audit::Purpose::security,
                                                  .detail = what});
    return entry ? Result<void>{} : entry.error();
}

// In words, for a person. A link with more subjects says whose it is by the number of its entry.
json row_of(const audit::ChainLink& link) {
    json row{{"number", link.number}, {"at", base::rfc3339(link.at)}, {"subjects", link.subjects.size()}};
    if (link.kind == audit::kind_lost) {
        row["lost_from"] = link.refers;
        row["lost_to"] = link.actor_id;
        return row;
    }
    if (link.refers != 0) {
        row["more_of"] = link.refers;
        return row;
    }
    row["actor"] = audit::name(static_cast<audit::Actor>(link.actor));
    row["actor_id"] = link.actor_id;
    row["action"] = audit::name(static_cast<audit::Action>(link.action));
    row["purpose"] = audit::name(static_cast<audit::Purpose>(link.purpose));
    row["detail"] = link.detail;
    return row;
}

// With every value that its hash covers.
json exported(const audit::ChainLink& link) {
    json subjects = json::array();
    for (const auto& subject : link.subjects) subjects.push_back(crypto::hex(subject.bytes));
    return {{"number", link.number}, {"at", link.at.micros},      {"kind", link.kind},     {"refers", link.refers},
            {"actor", link.actor},   {"actor_id", link.actor_id}, {"action", link.action}, {"purpose", link.purpose},
            {"detail", link.detail}, {"subjects", subjects},      {"hash", link.hash}};
}

Result<Answer> verify(records::Store& store) {
    const auto verified = audit::walk_through(store);
    CLINIC_TRY(verified);
    json gaps = json::array();
    for (const auto& gap : verified->gaps) {
        const bool said = gap.said_by != 0;
        gaps.push_back({{"first", gap.first},
                        {"last", gap.last},
                        {"said_by", said ? json(gap.said_by) : json{}},
                        {"said_at", said ? json(base::rfc3339(gap.said_at)) : json{}}});
    }
    const int exit = verified->unsaid() != nullptr ? 2 : verified->gaps.empty() ? 0 : 1;
    return say({{"entries", verified->entries}, {"head", verified->head}, {"gaps", std::move(gaps)}}, exit);
}

// Newest first.
Result<Answer> list(records::Store& store, const Question& question) {
    json rows = json::array();
    CLINIC_TRY(store.write([&](records::Transaction& txn) -> Result<void> {
        CLINIC_TRY(note_look(txn, question, "audit_list"));
        const auto limit = std::clamp<std::int64_t>(number(question.args, "limit", rows_shown), 1, rows_shown_max);
        const auto before = number(question.args, "before", std::numeric_limits<std::int64_t>::max());
        const auto links = audit::Trail::links_before(txn, before, static_cast<int>(limit));
        CLINIC_TRY(links);
        for (const auto& link : *links) rows.push_back(row_of(link));
        return {};
    }));
    return say(std::move(rows));
}

Result<json> page_of(records::Session& session, const Question& question) {
    const std::int64_t after = std::max<std::int64_t>(0, number(question.args, "after", 0));
    const auto newest = audit::Trail::newest(session);
    CLINIC_TRY(newest);
    const std::int64_t until = std::min(number(question.args, "until", *newest), *newest);
    const auto most = std::clamp<std::int64_t>(until - after, 0, links_in_turn_max);
    auto links = audit::Trail::links(session, after, static_cast<int>(most));
    CLINIC_TRY(links);
    while (!links->empty() && links->back().number > until) links->pop_back(); // behind a gap
    json rows = json::array();
    for (const auto& link : *links) rows.push_back(exported(link));
    const bool more = !links->empty() && links->back().number < until;
    return json{{"store", crypto::hex(session.store_uuid())},
                {"until", until},
                {"links", std::move(rows)},
                {"next", more ? json(links->back().number) : json{}}};
}

// A page of the chain, oldest first, up to the newest link of its first page; `next` is where to go on. The entry that
// says so is written with the first page and is not in it; the others are read beside the writer.
Result<Answer> export_page(records::Store& store, const Question& question) {
    json page;
    const auto fill = [&](records::Session& session) -> Result<void> {
        auto made = page_of(session, question);
        CLINIC_TRY(made);
        page = std::move(*made);
        return {};
    };
    if (question.args.contains("until"))
        CLINIC_TRY(store.read([&](records::Snapshot& session) { return fill(session); }));
    else
        CLINIC_TRY(store.write([&](records::Transaction& txn) -> Result<void> {
            CLINIC_TRY(fill(txn));
            return note_look(txn, question, "audit_export");
        }));
    return say(std::move(page));
}

} // namespace

control::Commands audit_commands(records::Store& store) {
    return {{"audit-verify", {.run = [&store](const Question&) { return verify(store); }}},
            {"audit-list", {.run = [&store](const Question& question) { return list(store, question); }}},
            {"audit-export", {.run = [&store](const Question& question) { return export_page(store, question); }}}};
}

} // namespace clinic::daemon
