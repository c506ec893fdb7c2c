// The store checked while it works, in slices: both superblocks, every page of the database as it lies on the disk,
// each table and its indexes by SQLite's own check, and every key of the keystore. How far it is stands in the store,
// so that a restart goes on from there. What it found stands until the next one has ended.
//   Bounds:  a slice of pages holds up checkpoints (never commits) for its time; a table's check has one snapshot and
//            gives way when the WAL grows past twice its bound, `gives_way_max` times. Beside that a check once a week.
//   Errors:  step: system; full, when its place cannot be written down. Damage is a finding. A damaged superblock is
//            written anew; a person's damaged key is counted, as it costs nobody else anything.
//   Threads: one, its own connection; not the writer's.
//   Source:  facts/field-failures-and-peers §3, row 1.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/records/store.h"

namespace clinic::records {

class Connection;

// Where the check is; a setting of the store.
struct CheckPlace {
    Timestamp started{};             // 0: none is under way
    std::int64_t next_page = 1;      // of the pages; 0: they are done
    std::string next_table;          // of the tables, in alphabetical order: the one to do next
    std::int64_t next_slot = 0;      // of the keystore; 0: the tables are not done
    std::int64_t tables_skipped = 0; // gave way too often
    std::int64_t keys_damaged = 0;   // of people who were not erased
    Timestamp last{};                // when the newest check ended; 0: never
    bool last_sound = true;          // it found no damage that closes the records
    std::int64_t last_skipped = 0, last_keys_damaged = 0;
    // What it found; nullopt: never checked, or not all of it.
    std::optional<bool> sound() const;
    // People whose keys are known not to open: by the newest check, or already by the one that is under way.
    std::int64_t people_damaged() const { return std::max(last_keys_damaged, keys_damaged); }
    // From its first page; what is known stands until it ends.
    void begin(Timestamp now);
};

Result<CheckPlace> check_place(Session& session);
Result<void> set_check_place(Transaction& txn, const CheckPlace& place);
// At open, where nobody writes yet: what the newest check found may have been mended, so the next one begins at once.
Result<void> check_again(Connection& writing, CheckPlace place, Timestamp now);

struct CheckOptions {
    std::int64_t pages_a_slice = 512;  // 2 MiB
    std::int64_t slices_a_mark = 64;   // how often its place is written down
    std::int64_t keys_a_slice = 4'096; // 288 KiB
    int gives_way_max = 5;
    std::chrono::hours every{24 * 7}, every_skipped{24}; // the other one: where tables were left out
};

inline constexpr Literal damage_remedy =
    "stop clinicd, see what is lost (clinicctl store check), then restore the backup or save the rest "
    "(clinicctl store salvage)";

// Set in the store where damage was found: the next open checks the whole before it lets anybody in.
inline constexpr Literal damage_setting = "store_damage";

inline bool is_damage(Errc code) {
    return code == Errc::tampered || code == Errc::corrupt;
}

class StoreCheck {
public:
    StoreCheck(Store& store, CheckOptions options);
    ~StoreCheck();

    enum class Step : std::uint8_t { not_due, more, sound, damaged };
    // The next slice, when one is due.
    Result<Step> step(Timestamp now);
    void request_stop() { stopping_ = true; } // from any thread: the slice under way ends soon, and is done again
    // What is the matter, after `damaged`.
    const Error& damage() const { return damage_; }

private:
    Result<Step> pages(Timestamp now);
    Result<Step> table(Timestamp now);
    Result<Step> keys(Timestamp now);
    void superblocks();
    Result<Step> found(Error damage, Timestamp now);
    Result<Step> ended(std::int64_t keys_damaged, Timestamp now);
    Result<void> mark();

    Store& store_;
    const CheckOptions options_;
    std::unique_ptr<Connection> connection_;
    std::optional<CheckPlace> place_;
    std::int64_t slices_ = 0;
    int gave_way_ = 0;
    std::atomic<bool> stopping_{false};
    Error damage_{Errc::tampered, "a page of the store does not open"};
};

// What SQLite's own check says: `sql` is one, of one error at most.
//   Errors:  as the connection's; a page that SQLite did not get is one of those, and no verdict.
enum class Verdict : std::uint8_t { sound, wrong, interrupted };
Result<Verdict> run_check(Connection& connection, const std::string& sql);
// Of a line of it that says so, why it did not; nullopt: it says something else.
std::optional<int> page_not_got(std::string_view line);

// SQLite's check at open: all of a store up to `whole_pages_max`, of a larger one as far as `time_max` goes; false: its
// time ended it. Errors: corrupt, tampered (a page did not open), system.
struct OpenCheck {
    std::int64_t whole_pages_max = 16'384;   // 64 MiB
    std::chrono::milliseconds time_max{100}; // a start waits for it
    bool everything = false;                 // whatever its size, indexes against their tables too
};
Result<bool> check_at_open(Connection& connection, const OpenCheck& how);

} // namespace clinic::records
