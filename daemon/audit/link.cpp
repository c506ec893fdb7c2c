#include "daemon/audit/link.h"

#include <algorithm>

#include "crypto/base/files.h"
#include "daemon/records/audit_end.h"

namespace clinic::audit {
namespace {

using crypto::Bytes;
using crypto::Digest;

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

bool is_byte(std::int64_t value) {
    return value >= 0 && value <= 255;
}

} // namespace

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

Digest read_hash(const records::Statement& row, int column) {
    Digest out{};
    const auto stored = row.blob(column);
    if (stored.size() == out.size()) std::ranges::copy(stored, out.begin());
    return out;
}

Result<Subjects> read_subjects(records::Session& session, std::int64_t link) {
    auto find = session.prepare("SELECT subject, position FROM audit_subject WHERE link = ? ORDER BY position");
    CLINIC_TRY(find);
    find->bind(link);
    Subjects subjects;
    for (;;) {
        const auto row = find->step();
        CLINIC_TRY(row);
        if (!*row) return subjects;
        subjects.ids.push_back(find->uuid(0));
        if (find->integer(1) != static_cast<std::int64_t>(subjects.ids.size())) subjects.whole = false;
    }
}

Digest before_the_first(const records::Session& session) {
    return crypto::digest(base::as_bytes("clinic-audit-1 first"), session.store_uuid());
}

Digest hash_of(const Digest& before, const Link& link) {
    return crypto::digest(before, canonical(link));
}

bool fits(const Link& link) {
    if (!is_byte(link.actor) || !is_byte(link.action) || !is_byte(link.purpose)) return false;
    if (link.detail.size() > detail_bytes_max || link.subjects.size() > subjects_max) return false;
    switch (link.kind) {
    case Kind::entry: return link.refers == 0;
    case Kind::subjects: return link.refers > 0 && link.refers < link.number && !link.subjects.empty();
    case Kind::lost:
        return link.refers > 0 && link.refers <= link.actor_id && link.actor_id < link.number && link.subjects.empty();
    }
    return false;
}

Result<End> end_of(records::Session& session) {
    auto end = records::read_audit_end(session);
    if (end && end->newest == 0) end->hash = before_the_first(session);
    return end;
}

Result<End> known_end_of(records::Session& session) {
    auto end = records::audit_end(session);
    if (end && end->newest == 0) end->hash = before_the_first(session);
    return end;
}

} // namespace clinic::audit
