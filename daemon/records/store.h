// The encrypted store: one SQLite file, one writer thread with group commit, readers with short snapshots.
//   Units:   bounds in StoreOptions; times in UTC microseconds.
//   Errors:  open: not_found (no store, and none to be made), locked, tampered, newer, conflict, full, corrupt, refused
//            (another process has it), unsupported (a network file system), system.
//            A statement: tampered (a page did not open), full (the disk), conflict (a constraint), corrupt, system.
//   Threads: any may call; jobs run on the writer thread alone.
//   Source:  design, "The store"; facts/encrypted-sqlite §0 (one connection writes and checkpoints).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/aead.h"
#include "crypto/base/clock.h"
#include "crypto/base/result.h"
#include "crypto/base/vitals.h"
#include "crypto/key_slot.h"
#include "crypto/key_table.h"
#include "crypto/keystore.h"
#include "crypto/seal.h"
#include "daemon/records/advice.h"
#include "daemon/records/cache_size.h"
#include "daemon/records/row_cache.h"
#include "daemon/records/statement_use.h"
#include "daemon/records/types.h"

struct sqlite3;
struct sqlite3_stmt;

namespace clinic::records {

class IdentifierIndex;
class Connection;
class Writer;
struct Prepared;
struct SessionCore;

// A prepared statement on loan from its session's cache; reset and cleared when it goes out of scope.
// After `run` it can be bound again from the first parameter.
class Statement {
public:
    Statement(Statement&& other) noexcept;
    ~Statement();

    // Binds from the first parameter on: integers, text, blobs, ids, timestamps, nullopt.
    template <class... Values>
    Statement& bind(const Values&... values) {
        (bind_next(values), ...);
        return *this;
    }
    Result<bool> step(); // true: there is a row
    Result<void> run();  // steps to the end
    bool is_null(int column) const;
    std::int64_t integer(int column) const;
    std::string_view text(int column) const;           // valid until the next step
    std::span<const std::byte> blob(int column) const; // valid until the next step
    base::Uuid uuid(int column) const;

private:
    friend class Connection;
    explicit Statement(Prepared& lent);
    void bind_next(std::int64_t value);
    void bind_next(int value) { bind_next(static_cast<std::int64_t>(value)); }
    void bind_next(bool value) { bind_next(static_cast<std::int64_t>(value)); }
    void bind_next(std::string_view value);
    void bind_next(const char* value) { bind_next(std::string_view{value}); }
    void bind_next(const std::string& value) { bind_next(std::string_view{value}); }
    void bind_next(std::span<const std::byte> value);
    void bind_next(const crypto::Bytes& value) { bind_next(std::span<const std::byte>{value}); }
    void bind_next(const crypto::Token& value) { bind_next(std::span<const std::byte>{value}); }
    void bind_next(const crypto::Digest& value) { bind_next(std::span<const std::byte>{value}); }
    void bind_next(const base::Uuid& value) { bind_next(std::span<const std::byte>{value.bytes}); }
    template <class Tag>
    void bind_next(const base::Id<Tag>& value) {
        bind_next(value.uuid);
    }
    void bind_next(Timestamp value) { bind_next(value.micros); }
    void bind_next(std::nullopt_t);
    template <class T>
    void bind_next(const std::optional<T>& value) {
        if (value)
            bind_next(*value);
        else
            bind_next(std::nullopt);
    }

    void rewind();
    sqlite3_stmt* handle() const;

    Prepared* lent_;
    int next_ = 1;
    int failed_ = 0; // the first bind that failed: told by the next step
};

// What a transaction and a snapshot can both do.
class Session {
public:
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    // Cached by the literal's address. Errors: corrupt when the statement does not fit the schema (a bug, or a schema
    // that is not ours).
    Result<Statement> prepare(Literal sql);
    Timestamp now() const { return now_; }
    base::Micros monotonic() const { return monotonic_; } // Clock::monotonic, of the same moment
    const crypto::SecureBytes& index_key() const;         // blind index tokens
    const crypto::SecureBytes& quarantine_key() const;    // wraps each item's own key
    // The patient's data key, until another's is asked for. Errors: not_found when it was erased.
    Result<const crypto::SecureBytes*> patient_key(PatientId patient);
    // Sealed with the patient's key, bound to `table`, `column` and `row`.
    Result<crypto::Bytes> seal_for(PatientId patient, Literal place, std::int64_t row, std::string_view plain);
    Result<std::string> open_for(PatientId patient, Literal place, std::int64_t row, std::span<const std::byte> sealed);
    // The same for what belongs to no patient (block-outs), under a key of the store.
    crypto::Bytes seal_unowned(Literal place, std::int64_t row, std::string_view plain);
    Result<std::string> open_unowned(Literal place, std::int64_t row, std::span<const std::byte> sealed);
    std::span<const std::byte> store_uuid() const;
    // Read through the cache of pseudonymous rows: what is kept of a row, and what was read of it to be kept.
    template <Cacheable T>
    std::optional<T> kept(const RowKey& key) {
        return rows().template find<T>(sight(), monotonic_, key);
    }
    // Not counted, for who changes a row that may be at hand, and then keeps what it has become.
    template <Cacheable T>
    std::optional<T> at_hand(const RowKey& key) {
        return rows().template at_hand<T>(sight(), monotonic_, key);
    }
    template <Cacheable T>
    T keep(const RowKey& key, const T& row) {
        rows().template keep<T>(sight(), monotonic_, key, row);
        return row;
    }
    // The store cannot be gone on with: said to who opened it, once (StoreOptions::on_damage).
    void found_damage(const Error& why);
    // The same number as before: that setting has not been changed since. nullopt: it is being changed.
    std::optional<RowCache::Since> setting_since(Literal key);

protected:
    friend class Store;
    friend class Writer;
    Session(SessionCore& core, const Clock& clock);
    ~Session() = default;
    SessionCore& core_;
    Timestamp now_;
    base::Micros monotonic_;

private:
    RowCache& rows();
    RowCache::Sight sight() const;
};

// Inside one job's savepoint. What it wrote is durable when the job's Done is called with success.
class Transaction : public Session {
public:
    std::int64_t last_row() const; // sqlite3_last_insert_rowid
    int changed_rows() const;      // by the last statement
    IdentifierIndex& identifiers();
    Result<std::int64_t> take_key_slot();        // a durable free slot for a new patient
    void on_commit(std::function<void()> then);  // on the writer thread, after the commit; dropped on rollback
    void erase_key_on_commit(std::int64_t slot); // durable soon after the commit; again at every open until it is
    // In a savepoint of its own: where `part` fails, what it wrote is undone and nothing else of the job. Answers what
    // it failed of. Errors: the savepoint's, and then the job must fail.
    Result<std::optional<Error>> apart(const std::function<Result<void>()>& part);
    // What this job is called in traces, random: 32 hexadecimal digits.
    const std::string& trace();
    // From the first byte of what the job is about to this transaction: Store::post. Never below 0.
    base::Micros heard_for() const;

private:
    friend class Writer;
    using Session::Session;
    std::string trace_;
    base::Micros heard_at_ = monotonic_;
};

class Snapshot : public Session {
private:
    friend class Store;
    using Session::Session;
};

struct StoreOptions {
    std::filesystem::path folder; // holds records.db, its WAL, its lock and keys.db
    bool make = false;            // a store where there is none; also by the file `make-store` in the folder
    std::optional<crypto::CipherId> cipher = {}; // of a store that is made; else the fastest
    std::size_t queue_jobs_max = 4'096;          // full: post answers false and intake refuses upstream
    std::size_t batch_jobs_max = 256;            // one group commit
    std::size_t readers_max = 4;
    std::chrono::milliseconds reader_wait_max{2'000}; // then a read fails with `timeout`
    std::chrono::milliseconds snapshot_max{2'000};    // the same: what needs longer goes in slices
    std::chrono::milliseconds slow_statement{100};    // a longer one is told in the log and counted
    CacheSize cache{.writer_kib = 16'384, .readers_kib = 16'384};
    std::int64_t identifier_rows_at_open = 50'000; // of the last check; the others are read behind
    std::int64_t wal_pages_max = 2'000;            // a passive checkpoint from here, TRUNCATE when idle
    base::Pulse pulse = {}; // of the writer: between two jobs, and before and after what waits for the disk
    // Damage that shows while the store is open and that it cannot be gone on with. Called once, from a thread of the
    // store's, when the next open is known to check the whole; must not wait for the store to go.
    std::function<void(const Error&)> on_damage = {};

    std::filesystem::path database() const { return folder / "records.db"; }
};

struct StoreNumbers {
    std::uint64_t commits = 0, jobs = 0, jobs_failed = 0, authentication_failures = 0;
    std::int64_t database_bytes = 0, wal_bytes = 0;
    std::int64_t reserve_bytes = 0; // held on the disk for when it is full
    int schema_version = 0, free_key_slots = 0;
    std::optional<Error> write_failure; // why the newest group was not committed; empty: it was
    // Snapshots since the store was opened: all, those that were cut for their length, those that got no reader.
    std::uint64_t reads = 0, reads_cut = 0, reads_refused = 0;
    std::int64_t longest_read_us = 0;
    std::uint64_t slow_statements = 0;
    std::uint64_t cache_hits = 0, cache_misses = 0; // of the pseudonymous rows
    std::int64_t cache_rows = 0;
    bool was_closed = false; // in order before this opening
};

class Store {
public:
    using Job = std::function<Result<void>(Transaction&)>;
    using Done = std::function<void(const Result<void>&)>;

    static Result<std::unique_ptr<Store>> open(const StoreOptions& options, const crypto::KeySlot& slot,
                                               const Clock& clock);
    ~Store(); // finishes what was posted, checkpoints, closes

    // Each job runs in its own savepoint: one that fails undoes itself and no other. `done` runs on the
    // writer thread after the group's commit is durable (or with the error). False: the queue is full.
    // `heard_at`: when the first byte was there of what the job is about, on `monotonic`; without one, now.
    [[nodiscard]] bool post(Job job, Done done, std::optional<base::Micros> heard_at = {});
    Result<void> write(Job job); // posts and waits; not from the writer thread
    // One short snapshot. Errors: those of `query`; timeout: no reader was free, or the snapshot lasted too long.
    Result<void> read(const std::function<Result<void>(Snapshot&)>& query);
    std::vector<StatementUse> statements() const; // of all connections, since the store was opened
    Result<std::vector<Advice>> advise(Which which);
    // False: the disk is full, and what room there is goes to bookkeeping: records and consents are to be refused.
    bool takes_records() const;
    // Called on the writer thread after each commit that changed a row; an empty one ends it. On return no call runs.
    void on_change(std::function<void()> listener);
    StoreNumbers numbers() const;
    base::Micros monotonic() const; // its clock's
    const IdentifierIndex&
    identifiers() const; // for the last check, any thread; of a large store loaded some time later
    // For StoreCheck: a connection that reads and may ask PRAGMA; it goes before the store does.
    Result<std::unique_ptr<Connection>> checker() const;
    std::mutex& no_checkpoint() const; // see Writer
    // For StoreCheck: the keystore as it lies on the disk, at most `slots_max` slots of it.
    Result<crypto::KeystoreFindings> look_at_keys(crypto::SlotId first, std::int64_t slots_max);
    bool wal_is_long() const; // twice its bound: whoever holds a snapshot should let go
    const crypto::Bytes& store_uuid() const;
    crypto::KeyTable& keys();

    struct State;

private:
    explicit Store(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

// Settings of the organization that outlive a restart: basis, policy, counters of feeds. Small, typed by their owner.
Result<std::optional<std::string>> setting(Session& session, Literal key);
Result<void> set_setting(Transaction& txn, Literal key, std::string_view value);

} // namespace clinic::records
