#include "daemon/audit/trail.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "crypto/base/files.h"
#include "crypto/seal.h"

namespace clinic::audit {
namespace {

using crypto::Bytes;
using crypto::Digest;

constexpr std::size_t subjects_max = 1'000;
constexpr std::size_t subjects_listed_max = 5'000;
constexpr std::size_t detail_bytes_max = 1'024;

constexpr Literal links_after = "SELECT number, at, kind, refers, actor, actor_id, action, purpose, detail, hash"
                                " FROM audit_link WHERE number > ? ORDER BY number LIMIT ?";

enum class Kind : std::uint8_t { entry = 1, subjects };

// One link of the chain as docs/audit.md writes it down.
struct Link {
    std::int64_t number = 0;
    Timestamp at{};
    Kind kind = Kind::entry;
    std::int64_t refers = 0;
    std::int64_t actor = 0, actor_id = 0, action = 0, purpose = 0;
    std::string detail = {};
    std::vector<base::Uuid> subjects = {};
};

void put_big_endian(Bytes& out, std::uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out.push_back(static_cast<std::byte>(value >> shift));
}

void put(Bytes& out, std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

Bytes canonical(const Link& link) {
    Bytes out;
    put(out, base::as_bytes("clinic-audit-1"));
    put_big_endian(out, static_cast<std::uint64_t>(link.number), 8);
    put_big_endian(out, static_cast<std::uint64_t>(link.at.micros), 8);
    put_big_endian(out, static_cast<std::uint64_t>(link.kind), 1);
    put_big_endian(out, static_cast<std::uint64_t>(link.refers), 8);
    put_big_endian(out, static_cast<std::uint64_t>(link.actor), 1);
    put_big_endian(out, static_cast<std::uint64_t>(link.actor_id), 8);
    put_big_endian(out, static_cast<std::uint64_t>(link.action), 1);
    put_big_endian(out, static_cast<std::uint64_t>(link.purpose), 1);
    put_big_endian(out, link.detail.size(), 2);
    put(out, base::as_bytes(link.detail));
    put_big_endian(out, link.subjects.size(), 4);
    for (const auto& subject : link.subjects) put(out, subject.bytes);
    return out;
}

Digest before_the_first(const records::Session& session) {
    return crypto::digest(base::as_bytes("clinic-audit-1 first"), session.store_uuid());
}

Error broken(std::int64_t number) {
    // The place counts in int; a chain that long is told by its last place.
    const auto line = std::min<std::int64_t>(number, std::numeric_limits<int>::max());
    return Error{Errc::tampered,
                 "the audit chain is broken",
                 "compare with an exported trail",
                 {.line = static_cast<int>(line)}};
}

struct Head {
    std::int64_t number = 0;
    Digest hash{};
};

Result<Head> head(records::Session& session) {
    auto newest = session.prepare("SELECT number, hash FROM audit_link ORDER BY number DESC LIMIT 1");
    if (!newest) return newest.error();
    const auto row = newest->step();
    if (!row) return row.error();
    if (!*row) return Head{0, before_the_first(session)};
    Head out{newest->integer(0)};
    const auto hash = newest->blob(1);
    if (hash.size() != out.hash.size()) return broken(out.number);
    std::copy(hash.begin(), hash.end(), out.hash.begin());
    return out;
}

Result<void> write_subjects(records::Transaction& txn, const Link& link) {
    if (link.subjects.empty()) return {};
    auto insert = txn.prepare("INSERT INTO audit_subject (link, position, subject) VALUES (?, ?, ?)");
    if (!insert) return insert.error();
    std::int64_t position = 0;
    for (const auto& subject : link.subjects) CLINIC_TRY(insert->bind(link.number, ++position, subject).run());
    return {};
}

// Writes the link behind the newest one; answers its number.
Result<std::int64_t> write(records::Transaction& txn, Link link) {
    const auto newest = head(txn);
    if (!newest) return newest.error();
    link.number = newest->number + 1;
    link.at = txn.now();
    const Digest hash = crypto::digest(newest->hash, canonical(link));
    auto insert = txn.prepare("INSERT INTO audit_link (number, at, kind, refers, actor, actor_id, action, purpose,"
                              " detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    if (!insert) return insert.error();
    insert->bind(link.number, link.at, static_cast<int>(link.kind), link.refers, link.actor, link.actor_id);
    insert->bind(link.action, link.purpose, link.detail, hash);
    CLINIC_TRY(insert->run());
    CLINIC_TRY(write_subjects(txn, link));
    return link.number;
}

Result<std::vector<base::Uuid>> read_subjects(records::Session& session, std::int64_t link) {
    auto find = session.prepare("SELECT subject, position FROM audit_subject WHERE link = ? ORDER BY position");
    if (!find) return find.error();
    find->bind(link);
    std::vector<base::Uuid> subjects;
    for (;;) {
        const auto row = find->step();
        if (!row) return row.error();
        if (!*row) return subjects;
        subjects.push_back(find->uuid(0));
        if (find->integer(1) != static_cast<std::int64_t>(subjects.size())) return broken(link);
    }
}

bool is_byte(std::int64_t value) {
    return value >= 0 && value <= 255;
}

// Values that the canonical bytes would cut off are not ours.
bool fits(const Link& link) {
    if (!is_byte(link.actor) || !is_byte(link.action) || !is_byte(link.purpose)) return false;
    if (link.detail.size() > detail_bytes_max || link.subjects.size() > subjects_max) return false;
    if (link.kind == Kind::entry) return link.refers == 0;
    return link.kind == Kind::subjects && link.refers > 0 && link.refers < link.number && !link.subjects.empty();
}

Result<std::int64_t> number(records::Session& session, Literal sql) {
    auto find = session.prepare(sql);
    if (!find) return find.error();
    const auto row = find->step();
    if (!row) return row.error();
    return *row ? find->integer(0) : 0;
}

// Rows beside the chain: subjects of links that are not there, or links cut off its end.
Result<void> check_edges(records::Session& session, std::int64_t links) {
    const auto given = number(session, "SELECT seq FROM sqlite_sequence WHERE name = 'audit_link'");
    if (!given) return given.error();
    if (*given != links) return broken(links + 1);
    auto strays = session.prepare("SELECT EXISTS (SELECT 1 FROM audit_subject WHERE link < 1)"
                                  " OR EXISTS (SELECT 1 FROM audit_subject WHERE link > ?)");
    if (!strays) return strays.error();
    const auto row = strays->bind(links).step();
    if (!row) return row.error();
    if (strays->integer(0) != 0) return broken(links);
    return {};
}

Link to_link(const records::Statement& row) {
    // A kind that is no byte becomes 0, which is none.
    const auto kind = is_byte(row.integer(2)) ? static_cast<Kind>(row.integer(2)) : Kind{};
    Link link{row.integer(0), Timestamp{row.integer(1)}, kind, row.integer(3)};
    link.actor = row.integer(4);
    link.actor_id = row.integer(5);
    link.action = row.integer(6);
    link.purpose = row.integer(7);
    link.detail = row.text(8);
    return link;
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

Result<bool> Walk::go_on(records::Session& session, int links_max) {
    auto rows = session.prepare(links_after);
    if (!rows) return rows.error();
    rows->bind(links_, links_max);
    Digest hash = hash_ ? *hash_ : before_the_first(session);
    int walked = 0;
    for (; walked < links_max; ++walked) {
        const auto row = rows->step();
        if (!row) return row.error();
        if (!*row) break;
        Link link = to_link(*rows);
        if (link.number != ++links_) return broken(links_);
        auto people = read_subjects(session, link.number);
        if (!people) return people.error();
        link.subjects = std::move(*people);
        hash = crypto::digest(hash, canonical(link));
        const auto stored = rows->blob(9);
        if (!fits(link) || !std::equal(stored.begin(), stored.end(), hash.begin(), hash.end())) return broken(links_);
        if (link.kind == Kind::entry) ++entries_;
    }
    hash_ = hash;
    if (walked == links_max) return false;
    CLINIC_TRY(check_edges(session, links_));
    return true;
}

Verified Walk::verified() const {
    return {entries_, hash_ ? crypto::hex(*hash_) : std::string{}};
}

Result<Verified> Trail::verify(records::Session& session) {
    Walk walk;
    CLINIC_TRY(walk.go_on(session, std::numeric_limits<int>::max()));
    return walk.verified();
}

Result<std::int64_t> Trail::newest(records::Session& session) {
    const auto newest = head(session);
    if (!newest) return newest.error();
    return newest->number;
}

Result<std::vector<ChainLink>> Trail::links(records::Session& session, std::int64_t after, int rows_max) {
    auto rows = session.prepare(links_after);
    if (!rows) return rows.error();
    rows->bind(after, rows_max);
    std::vector<ChainLink> out;
    std::size_t subjects = 0;
    while (subjects < subjects_listed_max) {
        const auto row = rows->step();
        if (!row) return row.error();
        if (!*row) break;
        const Link link = to_link(*rows);
        auto people = read_subjects(session, link.number);
        if (!people) return people.error();
        subjects += people->size();
        out.push_back({link.number, link.at, static_cast<std::int64_t>(link.kind), link.refers, link.actor,
                       link.actor_id, link.action, link.purpose, link.detail, std::move(*people),
                       crypto::hex(rows->blob(9))});
    }
    return out;
}

} // namespace clinic::audit
