// A read-through cache of pseudonymous rows, for release, lease and the page: what they look up again and again.
//   Holds:   a closed set of types, `CachedRow` below: states, random names, contact ids, counters and a hash, all of a
//   fixed size.
//            Nothing else converts to one, so no name, number or text of a person can be put in.
//   Truth:   SQLite tells of every row that the writer changes (its pre-update hook), whatever statement did it; from
//            then until after the commit nobody else is served from that place, and afterwards nothing older is. A
//            session is served only what holds in its own snapshot: a place that was changed since it began is read
//            from the database. The writer itself is served what it has read of such a place since the last change to
//            it; that goes with whatever is undone, and is everybody's once the group is durable.
//   Bounds:  rows_max rows, the one that was not used for longest goes; each for life_max. As many of a group that is
//            not durable yet, of which the first stay.
//   Threads: any; `note`, what is undone and the end of a group, and a Sight that writes: the writer's.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <variant>
#include <vector>

#include "crypto/base/clock.h"
#include "crypto/base/ids.h"
#include "crypto/seal.h"
#include "daemon/records/types.h"

struct sqlite3;

namespace clinic::records {

// A pseudonym or an id that another system gave: letters, digits, '-' and '_', so many at most.
class ShortId {
public:
    static std::optional<ShortId> of(std::string_view text);
    std::string_view text() const { return {text_.data(), bytes_}; }

private:
    std::array<char, 64> text_{};
    std::uint8_t bytes_ = 0;
};

struct PatientRow { // of `patient`, without what is sealed
    std::int64_t row = 0, key_slot = 0;
    PatientStatus status = PatientStatus::active;
    std::optional<PatientId> merged_into;
    bool test_traffic = false, has_mobile = false, has_email = false;
    Timestamp created_at{};
};
struct ConsentRows { // the latest of each scope
    std::array<ConsentFacts, 3> latest{};
    std::uint8_t count = 0;
};
struct IssuedName { // of `pseudonym`: of a person, or of their appointment
    ShortId value;
};
struct ContactLink { // of `link`; an empty contact: there is none
    ShortId contact;
    bool shell = false;
};
struct OutboxCounters { // of `outbox_counter`: by state, 0 is released
    std::array<std::int64_t, 9> envelopes{};
};
struct QuarantineCounter {
    std::int64_t waiting = 0;
};
struct AuditEnd { // of the audit chain: its newest link, and the highest number that was ever given
    std::int64_t newest = 0, given = 0;
    crypto::Digest hash{};
};

using CachedRow =
    std::variant<PatientRow, ConsentRows, IssuedName, ContactLink, OutboxCounters, QuarantineCounter, AuditEnd>;

template <class T, class Variant>
inline constexpr bool is_one_of = false;
template <class T, class... Types>
inline constexpr bool is_one_of<T, std::variant<Types...>> = (std::is_same_v<T, Types> || ...);
template <class T>
concept Cacheable = is_one_of<T, CachedRow> && std::is_trivially_copyable_v<T>;

// Where a row is looked up: whose it is, and which of theirs.
struct RowKey {
    base::Uuid owner{};      // a patient; zero for what belongs to the box
    base::Uuid part{};       // an appointment; zero for the patient's own
    std::int64_t number = 0; // a destination
    friend bool operator==(const RowKey&, const RowKey&) = default;
};

// What may change under a row: its type and owner, or a setting by its name.
enum class RowPlace : std::uint8_t { patient, consent, pseudonym, link, outbox_counter, quarantine, audit, setting };

class RowCache {
public:
    static constexpr std::size_t rows_max = 10'000;
    static constexpr base::Micros life_max = std::chrono::minutes{5};

    // Of a session, from before its snapshot on. No two stores of a process have one in common.
    using Since = std::uint64_t;
    struct Sight {
        Sight(Since from, bool is_writer = false) : since{from}, writes{is_writer} {}
        Since since;
        bool writes; // it sees what its own group has changed
    };
    RowCache();
    Since now() const { return changes_.load(std::memory_order_acquire); }

    template <Cacheable T>
    std::optional<T> find(Sight sight, base::Micros at, const RowKey& key) {
        auto found = at_hand<T>(sight, at, key);
        ++(found ? hits_ : misses_);
        return found;
    }
    // The same, not counted.
    template <Cacheable T>
    std::optional<T> at_hand(Sight sight, base::Micros at, const RowKey& key) {
        const auto found = look(sight, at, {slot_of<T>(), key});
        return found ? std::optional{std::get<T>(*found)} : std::nullopt;
    }
    template <Cacheable T>
    void keep(Sight sight, base::Micros at, const RowKey& key, const T& row) {
        put(sight, at, {slot_of<T>(), key}, row);
    }
    // A number that stays the same while the setting does; nullopt: it was changed since the session began.
    std::optional<Since> setting_since(Since since, std::string_view name);

    // The writer's connection: from here on its changes are noted. False: this SQLite has no pre-update hook, and then
    // nothing is ever kept.
    bool watch(sqlite3* writer);
    void note(RowPlace place, const base::Uuid& owner); // a row is about to change
    void undone();                                      // a part of the group: what was changed may be as it was
    void end_group(bool durable);                       // or undone: all that was noted

    std::uint64_t hits() const { return hits_; }
    std::uint64_t misses() const { return misses_; }
    std::int64_t rows() const;

private:
    struct Key {
        std::uint8_t type;
        RowKey key;
        friend bool operator==(const Key&, const Key&) = default;
    };
    struct Hash {
        std::size_t operator()(const Key& key) const;
    };
    struct Kept {
        Key key;
        CachedRow row;
        Since since; // of the group, until it is durable: 0
        base::Micros until;
    };
    // What changes together: a hash of place and owner. Two in one bucket cost a look at the database, no more.
    struct Bucket {
        std::atomic<Since> changed;
        std::atomic<bool> changing{false};
    };
    static constexpr std::size_t buckets_count = 16'384;

    template <Cacheable T>
    static constexpr std::uint8_t slot_of() {
        return static_cast<std::uint8_t>(CachedRow{T{}}.index());
    }
    static std::size_t bucket_of(RowPlace place, const base::Uuid& owner);
    bool holds(std::size_t bucket, Since since) const;
    std::optional<CachedRow> look(Sight sight, base::Micros at, const Key& key);
    std::optional<CachedRow> look_at_changing(std::size_t bucket, const Key& key) const;
    std::optional<CachedRow> look_at_kept(std::size_t bucket, Since since, base::Micros at, const Key& key);
    void put(Sight sight, base::Micros at, const Key& key, const CachedRow& row);
    void put_first(Kept kept); // under mutex_

    std::array<Bucket, buckets_count> buckets_;
    std::atomic<Since> changes_;
    std::vector<std::size_t> noted_;                                   // the writer's: buckets that are changing
    std::unordered_map<std::size_t, std::vector<Kept>> changing_rows_; // the writer's: by bucket, as they will be
    std::size_t changing_rows_count_ = 0;
    bool watching_ = false;

    mutable std::mutex mutex_; // guards the rows
    std::list<Kept> rows_;     // the one that was used last at the front
    std::unordered_map<Key, std::list<Kept>::iterator, Hash> by_key_;
    std::atomic<std::uint64_t> hits_{0}, misses_{0};
};

static_assert(!Cacheable<PhiText> && !Cacheable<std::string> && !Cacheable<Phi<std::int64_t>> &&
              !Cacheable<Identifier>);

} // namespace clinic::records
