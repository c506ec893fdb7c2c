// What stands behind a Session. Private to this folder.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "crypto/keystore.h"
#include "crypto/secure_bytes.h"
#include "daemon/records/connection.h"
#include "daemon/records/identifier_index.h"
#include "daemon/records/row_cache.h"
#include "daemon/records/store.h"

namespace clinic::records {

// Keys and indexes that every session shares; fixed once the store is open.
struct Shared {
    crypto::Bytes uuid;
    crypto::SecureBytes index_key;
    crypto::SecureBytes quarantine_key;
    crypto::SecureBytes unowned_key;
    std::unique_ptr<crypto::Keystore> keys;
    std::unique_ptr<IdentifierIndex> identifiers;
    const std::unique_ptr<RowCache> rows = std::make_unique<RowCache>();
    std::function<void(const Error&)> found_damage = [](const Error&) {}; // any thread
    std::atomic<bool> damage_found{false}; // since it was opened: it is not closed in order
};

struct SessionCore {
    Connection& connection;
    Shared& shared;
    const bool writes = false;                               // the writer's, in its transaction
    const RowCache::Sight sight{shared.rows->now(), writes}; // so it is made before the snapshot is taken
    std::vector<std::function<void()>> hooks = {};
    std::vector<std::int64_t> keys_to_erase = {};
    std::int64_t slot_taken = 0;     // the highest in this job
    std::optional<PatientId> key_of; // whose `key` is: a job is about one patient, and asks for it again and again
    crypto::SecureBytes key = {};
};

// "clinic-seal-1" | store uuid | patient | row, 8 bytes big-endian | place: a value opens only where it was put.
crypto::Bytes bound_to(std::span<const std::byte> store, const base::Uuid& patient, Literal place, std::int64_t row);

} // namespace clinic::records
