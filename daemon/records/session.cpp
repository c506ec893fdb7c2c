#include "daemon/records/session.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "crypto/base/files.h"
#include "daemon/records/people.h"

namespace clinic::records {
namespace {

constexpr base::Uuid nobody{};

Result<std::string> open_text(const crypto::SecureBytes& key, std::span<const std::byte> sealed,
                              const crypto::Bytes& associated) {
    const auto plain = crypto::open(key, sealed, associated);
    if (!plain) return plain.error();
    return std::string{reinterpret_cast<const char*>(plain->data()), plain->size()};
}

} // namespace

crypto::Bytes bound_to(std::span<const std::byte> store, const base::Uuid& patient, Literal place, std::int64_t row) {
    crypto::Bytes out;
    const auto put = [&out](std::span<const std::byte> bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); };
    put(base::as_bytes("clinic-seal-1"));
    put(store);
    put(patient.bytes);
    for (int shift = 56; shift >= 0; shift -= 8)
        out.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(row) >> shift));
    put(base::as_bytes(place.c_str()));
    return out;
}

Session::Session(SessionCore& core, const Clock& clock)
    : core_{core}, now_{clock.now()}, monotonic_{clock.monotonic()} {}

Result<Statement> Session::prepare(Literal sql) {
    return core_.connection.prepare(sql);
}

const crypto::SecureBytes& Session::index_key() const {
    return core_.shared.index_key;
}

const crypto::SecureBytes& Session::quarantine_key() const {
    return core_.shared.quarantine_key;
}

std::span<const std::byte> Session::store_uuid() const {
    return core_.shared.uuid;
}

Result<const crypto::SecureBytes*> Session::patient_key(PatientId patient) {
    if (core_.key_of == patient) return &core_.key;
    const auto row = patient_row(*this, patient);
    CLINIC_TRY(row);
    if (!*row) return Error{Errc::not_found, "no such patient"};
    auto key = core_.shared.keys->key(crypto::SlotId{(*row)->key_slot});
    if (!key) return key.error();
    core_.key = std::move(*key);
    core_.key_of = patient;
    return &core_.key;
}

Result<crypto::Bytes> Session::seal_for(PatientId patient, Literal place, std::int64_t row, std::string_view plain) {
    const auto key = patient_key(patient);
    if (!key) return key.error();
    return crypto::seal(**key, base::as_bytes(plain), bound_to(core_.shared.uuid, patient.uuid, place, row));
}

Result<std::string> Session::open_for(PatientId patient, Literal place, std::int64_t row,
                                      std::span<const std::byte> sealed) {
    const auto key = patient_key(patient);
    if (!key) return key.error();
    return open_text(**key, sealed, bound_to(core_.shared.uuid, patient.uuid, place, row));
}

crypto::Bytes Session::seal_unowned(Literal place, std::int64_t row, std::string_view plain) {
    return crypto::seal(core_.shared.unowned_key, base::as_bytes(plain),
                        bound_to(core_.shared.uuid, nobody, place, row));
}

Result<std::string> Session::open_unowned(Literal place, std::int64_t row, std::span<const std::byte> sealed) {
    return open_text(core_.shared.unowned_key, sealed, bound_to(core_.shared.uuid, nobody, place, row));
}

RowCache& Session::rows() {
    return *core_.shared.rows;
}

RowCache::Sight Session::sight() const {
    return core_.sight;
}

void Session::found_damage(const Error& why) {
    core_.shared.found_damage(why);
}

std::optional<RowCache::Since> Session::setting_since(Literal key) {
    return rows().setting_since(sight().since, key.c_str());
}

std::int64_t Transaction::last_row() const {
    return sqlite3_last_insert_rowid(core_.connection.handle());
}

int Transaction::changed_rows() const {
    return sqlite3_changes(core_.connection.handle());
}

IdentifierIndex& Transaction::identifiers() {
    return *core_.shared.identifiers;
}

// Erased patients keep their row, and so their slot: the highest never falls.
Result<std::int64_t> Transaction::take_key_slot() {
    const auto used = core_.connection.number("SELECT coalesce(max(key_slot), 0) FROM patient");
    if (!used) return used.error();
    const auto slot = core_.shared.keys->next_free(crypto::SlotId{std::max(*used, core_.slot_taken)});
    if (!slot) return slot.error();
    core_.slot_taken = slot->value;
    return slot->value;
}

void Transaction::on_commit(std::function<void()> then) {
    core_.hooks.push_back(std::move(then));
}

Result<std::optional<Error>> Transaction::apart(const std::function<Result<void>()>& part) {
    // SQLite undoes the whole transaction by itself after some failures of the disk: what is written then is no part.
    const Error ended{Errc::system, "the transaction ended within a job"};
    if (!core_.connection.in_transaction()) return ended;
    CLINIC_TRY(core_.connection.run("SAVEPOINT part"));
    const auto hooks = core_.hooks.size(), keys = core_.keys_to_erase.size();
    const auto done = part();
    if (!core_.connection.in_transaction()) return done ? ended : done.error();
    if (!done) {
        CLINIC_TRY(core_.connection.run("ROLLBACK TO part"));
        core_.shared.rows->undone();
        core_.hooks.resize(hooks);
        core_.keys_to_erase.resize(keys);
        core_.key_of.reset();
    }
    CLINIC_TRY(core_.connection.run("RELEASE part"));
    return done ? std::nullopt : std::optional{done.error()};
}

const std::string& Transaction::trace() {
    if (!trace_.empty()) return trace_;
    std::array<std::byte, 16> random{};
    base::random_bytes(random);
    return trace_ = crypto::hex(random);
}

base::Micros Transaction::heard_for() const {
    return std::max(monotonic_ - heard_at_, base::Micros{0});
}

void Transaction::erase_key_on_commit(std::int64_t slot) {
    core_.keys_to_erase.push_back(slot);
}

} // namespace clinic::records
