#include "daemon/audit/trail.h"

#include <algorithm>
#include <limits>

#include "daemon/audit/link.h"
#include "daemon/records/store_check.h"

namespace clinic::audit {
namespace {

constexpr std::size_t subjects_listed_max = 5'000;

Error broken(Literal what, std::int64_t number) {
    // The place counts in int; a chain that long is told by its last place.
    const auto line = std::min<std::int64_t>(number, std::numeric_limits<int>::max());
    return Error{Errc::tampered, what, records::damage_remedy, {.line = static_cast<int>(line)}};
}

// The end of a chain that can grow; `end` as it was read.
Result<End> whole(Result<End> end) {
    if (!end && records::is_damage(end.error().code))
        return broken("the newest links of the audit chain do not open", 0);
    CLINIC_TRY(end);
    if (end->given > end->newest) return broken("the newest links of the audit chain are lost", end->newest + 1);
    return end;
}

Result<void> write_subjects(records::Transaction& txn, const Link& link) {
    if (link.subjects.empty()) return {};
    auto insert = txn.prepare("INSERT INTO audit_subject (link, position, subject) VALUES (?, ?, ?)");
    if (!insert) return insert.error();
    std::int64_t position = 0;
    for (const auto& subject : link.subjects) CLINIC_TRY(insert->bind(link.number, ++position, subject).run());
    return {};
}

Result<void> write_behind(records::Transaction& txn, const End& end, Link& link) {
    link.at = txn.now();
    const auto hash = hash_of(end.hash, link);
    auto insert = txn.prepare("INSERT INTO audit_link (number, at, kind, refers, actor, actor_id, action, purpose,"
                              " detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    if (!insert) return insert.error();
    insert->bind(link.number, link.at, static_cast<int>(link.kind), link.refers, link.actor, link.actor_id);
    insert->bind(link.action, link.purpose, link.detail, hash);
    CLINIC_TRY(insert->run());
    CLINIC_TRY(write_subjects(txn, link));
    txn.keep({}, End{link.number, link.number, hash});
    return {};
}

Error told(records::Transaction& txn, const Error& why) {
    if (why.code == Errc::tampered) txn.found_damage(why);
    return why;
}

// Writes the link behind the newest one; answers its number. The end is known from memory: where the tables refuse the
// link, they are looked at, since what they held may be lost by now.
Result<std::int64_t> write(records::Transaction& txn, Link link) {
    const auto end = whole(known_end_of(txn));
    if (!end) return told(txn, end.error());
    link.number = end->newest + 1;
    const auto written = write_behind(txn, *end, link);
    if (written) return link.number;
    const auto now = whole(end_of(txn));
    return now ? written.error() : told(txn, now.error());
}

Result<std::vector<ChainLink>> read_links(records::Session& session, records::Statement& rows) {
    std::vector<ChainLink> out;
    std::size_t subjects = 0;
    while (subjects < subjects_listed_max) {
        const auto row = rows.step();
        CLINIC_TRY(row);
        if (!*row) break;
        const Link link = to_link(rows);
        auto people = read_subjects(session, link.number);
        CLINIC_TRY(people);
        subjects += people->ids.size();
        out.push_back({link.number, link.at, static_cast<std::int64_t>(link.kind), link.refers, link.actor,
                       link.actor_id, link.action, link.purpose, link.detail, std::move(people->ids),
                       crypto::hex(rows.blob(9))});
    }
    return out;
}

} // namespace

const char* name(Actor actor) {
    switch (actor) {
    case Actor::feed: return "feed";
    case Actor::operator_: return "operator";
    case Actor::egress: return "egress";
    case Actor::job: return "job";
    case Actor::viewer: return "viewer";
    }
    return "unnamed";
}

const char* name(Action action) {
    switch (action) {
    case Action::create: return "create";
    case Action::read: return "read";
    case Action::update: return "update";
    case Action::merge: return "merge";
    case Action::erase: return "erase";
    case Action::import: return "import";
    case Action::release: return "release";
    case Action::disclose: return "disclose";
    case Action::block: return "block";
    case Action::configure: return "configure";
    case Action::quarantine: return "quarantine";
    case Action::system: return "system";
    }
    return "unnamed";
}

const char* name(Purpose purpose) {
    switch (purpose) {
    case Purpose::treatment: return "treatment";
    case Purpose::operations: return "operations";
    case Purpose::release: return "release";
    case Purpose::security: return "security";
    case Purpose::support: return "support";
    }
    return "unnamed";
}

Result<records::Disclosure> Trail::append(records::Transaction& txn, const Entry& entry) {
    Link link{.actor = static_cast<std::int64_t>(entry.actor),
              .actor_id = entry.actor_id,
              .action = static_cast<std::int64_t>(entry.action),
              .purpose = static_cast<std::int64_t>(entry.purpose),
              .detail = entry.detail.c_str()};
    if (!entry.note.empty()) link.detail += ' ' + entry.note;
    if (entry.subjects.size() > subjects_max) return Error{Errc::full, "an audit entry has too many subjects"};
    if (link.detail.size() > detail_bytes_max) return Error{Errc::full, "an audit entry's detail is too long"};
    for (const auto& subject : entry.subjects) link.subjects.push_back(subject.uuid);
    const auto number = write(txn, std::move(link));
    if (!number) return number.error();
    return records::Disclosure{*number};
}

Result<void> Trail::add_subject(records::Transaction& txn, const records::Disclosure& entry,
                                records::PatientId subject) {
    const auto number = write(txn, {.kind = Kind::subjects, .refers = entry.entry(), .subjects = {subject.uuid}});
    if (!number) return number.error();
    return {};
}

// Its number follows the highest that was ever given, so that none is given twice.
Result<void> Trail::say_lost(records::Transaction& txn, const Gap& gap) {
    const auto end = end_of(txn);
    CLINIC_TRY(end);
    Link link{.number = std::max(end->newest, gap.last) + 1,
              .kind = Kind::lost,
              .refers = gap.first,
              .actor_id = gap.last,
              .detail = "links_lost"};
    if (!fits(link) || link.number <= end->given) return Error{Errc::refused, "that is no gap of the audit chain"};
    return write_behind(txn, *end, link);
}

Result<void> Trail::check_end(records::Session& session) {
    const auto end = whole(end_of(session));
    return end ? Result<void>{} : end.error();
}

Result<Verified> Trail::verify(records::Session& session) {
    Walk walk;
    CLINIC_TRY(walk.go_on(session, std::numeric_limits<int>::max()));
    auto verified = walk.verified();
    if (const Gap* gap = verified.unsaid()) return broken("the audit chain is broken", gap->first);
    return verified;
}

Result<std::int64_t> Trail::newest(records::Session& session) {
    const auto end = end_of(session);
    CLINIC_TRY(end);
    return end->newest;
}

Result<std::vector<ChainLink>> Trail::links(records::Session& session, std::int64_t after, int rows_max) {
    auto rows = session.prepare(links_after);
    CLINIC_TRY(rows);
    rows->bind(after, rows_max);
    return read_links(session, *rows);
}

Result<std::vector<ChainLink>> Trail::links_before(records::Session& session, std::int64_t before, int rows_max) {
    auto rows = session.prepare(links_newest_first);
    CLINIC_TRY(rows);
    rows->bind(before, rows_max);
    return read_links(session, *rows);
}

} // namespace clinic::audit
