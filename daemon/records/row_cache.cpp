#include "daemon/records/row_cache.h"

#include <sqlite3.h>

#include <algorithm>
#include <cassert>
#include <cstring>

namespace clinic::records {
namespace {

// From the type of a row, in the order of the variant.
constexpr RowPlace places[] = {RowPlace::patient,        RowPlace::consent,    RowPlace::pseudonym, RowPlace::link,
                               RowPlace::outbox_counter, RowPlace::quarantine, RowPlace::audit};
static_assert(std::size(places) == std::variant_size_v<CachedRow>);

constexpr int changes_bits = 40; // so many groups before two stores' numbers meet

constexpr int no_owner = -1, by_text = -2;

// Which column of a table says whose row it is. Each is changed by a test.
struct Watched {
    std::string_view table;
    RowPlace place;
    int owner; // column, no_owner, or by_text: the first column's text
};
constexpr Watched watched[] = {
    {"patient", RowPlace::patient, 1},
    {"consent", RowPlace::consent, 1},
    {"pseudonym", RowPlace::pseudonym, 2},
    {"link", RowPlace::link, 1},
    {"outbox_counter", RowPlace::outbox_counter, no_owner},
    {"quarantine", RowPlace::quarantine, no_owner},
    {"audit_link", RowPlace::audit, no_owner},
    {"audit_subject", RowPlace::audit, no_owner},
    {"setting", RowPlace::setting, by_text},
};

constexpr std::uint64_t mix(std::uint64_t value) {
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdULL;
    value ^= value >> 33;
    return value;
}

std::uint64_t hash_of(const base::Uuid& uuid) {
    std::uint64_t halves[2];
    static_assert(sizeof halves == sizeof uuid.bytes);
    std::memcpy(halves, uuid.bytes.data(), sizeof halves);
    return mix(halves[0] ^ mix(halves[1]));
}

// A name of ours as an owner: equal names, equal owners.
base::Uuid owner_of(std::string_view name) {
    const std::uint64_t hash = std::hash<std::string_view>{}(name);
    base::Uuid owner{};
    std::memcpy(owner.bytes.data(), &hash, sizeof hash);
    return owner;
}

base::Uuid owner_of(sqlite3_value* value, int column) {
    if (value == nullptr) return {};
    const auto bytes = static_cast<std::size_t>(sqlite3_value_bytes(value));
    if (column == by_text) {
        const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(value));
        return text == nullptr ? base::Uuid{} : owner_of(std::string_view{text, bytes});
    }
    const auto* blob = static_cast<const std::byte*>(sqlite3_value_blob(value));
    return base::Uuid::from_bytes({blob, blob == nullptr ? 0 : bytes}).value_or(base::Uuid{});
}

// Both of an update: a consent that moves to another person is a change of two.
void on_change(void* cache, sqlite3* db, int, const char*, const char* table, sqlite3_int64, sqlite3_int64) {
    const auto one = std::ranges::find(watched, std::string_view{table}, &Watched::table);
    if (one == std::end(watched)) return;
    auto& rows = *static_cast<RowCache*>(cache);
    if (one->owner == no_owner) return rows.note(one->place, {});
    const int column = one->owner == by_text ? 0 : one->owner;
    sqlite3_value* value = nullptr;
    if (sqlite3_preupdate_old(db, column, &value) == SQLITE_OK) rows.note(one->place, owner_of(value, one->owner));
    if (sqlite3_preupdate_new(db, column, &value) == SQLITE_OK) rows.note(one->place, owner_of(value, one->owner));
}

} // namespace

std::optional<ShortId> ShortId::of(std::string_view text) {
    ShortId made;
    const bool fits =
        text.size() <= made.text_.size() && std::ranges::all_of(text, [](char c) {
            return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
        });
    if (!fits) return std::nullopt;
    std::ranges::copy(text, made.text_.begin());
    made.bytes_ = static_cast<std::uint8_t>(text.size());
    return made;
}

RowCache::RowCache() {
    static std::atomic<std::uint64_t> caches{0};
    changes_ = ++caches << changes_bits;
    for (auto& bucket : buckets_) bucket.changed = changes_.load();
}

std::size_t RowCache::Hash::operator()(const Key& key) const {
    const auto number = static_cast<std::uint64_t>(key.key.number);
    return mix(hash_of(key.key.owner) ^ mix(hash_of(key.key.part) + number * 31 + key.type));
}

std::size_t RowCache::bucket_of(RowPlace place, const base::Uuid& owner) {
    return mix(hash_of(owner) + static_cast<std::uint64_t>(place) * 0x9e3779b97f4a7c15ULL) % buckets_count;
}

bool RowCache::watch(sqlite3* writer) {
    watching_ = sqlite3_compileoption_used("ENABLE_PREUPDATE_HOOK") != 0;
    if (watching_) sqlite3_preupdate_hook(writer, on_change, this);
    return watching_;
}

void RowCache::note(RowPlace place, const base::Uuid& owner) {
    const auto at = bucket_of(place, owner);
    if (!buckets_[at].changing.exchange(true)) noted_.push_back(at);
    const auto read_before = changing_rows_.find(at);
    if (read_before == changing_rows_.end()) return;
    changing_rows_count_ -= read_before->second.size();
    changing_rows_.erase(read_before);
}

void RowCache::undone() {
    changing_rows_.clear();
    changing_rows_count_ = 0;
}

// A bucket says when it was changed before anybody can begin who may rely on that, and is free again after it.
void RowCache::end_group(bool durable) {
    if (noted_.empty()) return;
    const Since next = changes_ + 1;
    for (const auto at : noted_) buckets_[at].changed = next;
    if (durable) {
        const std::lock_guard lock{mutex_};
        for (auto& [bucket, rows] : changing_rows_)
            for (Kept& kept : rows) {
                kept.since = next;
                put_first(std::move(kept));
            }
    }
    undone();
    changes_ = next;
    for (const auto at : noted_) buckets_[at].changing = false;
    noted_.clear();
}

bool RowCache::holds(std::size_t bucket, Since since) const {
    const Bucket& one = buckets_[bucket];
    return watching_ && !one.changing && one.changed <= since;
}

std::optional<RowCache::Since> RowCache::setting_since(Since since, std::string_view name) {
    const auto at = bucket_of(RowPlace::setting, owner_of(name));
    if (!holds(at, since)) return std::nullopt;
    return buckets_[at].changed.load();
}

std::optional<CachedRow> RowCache::look(Sight sight, base::Micros at, const Key& key) {
    const auto bucket = bucket_of(places[key.type], key.key.owner);
    return sight.writes && buckets_[bucket].changing ? look_at_changing(bucket, key)
                                                     : look_at_kept(bucket, sight.since, at, key);
}

std::optional<CachedRow> RowCache::look_at_changing(std::size_t bucket, const Key& key) const {
    const auto rows = changing_rows_.find(bucket);
    if (rows == changing_rows_.end()) return std::nullopt;
    const auto found = std::ranges::find(rows->second, key, &Kept::key);
    return found == rows->second.end() ? std::nullopt : std::optional{found->row};
}

std::optional<CachedRow> RowCache::look_at_kept(std::size_t bucket, Since since, base::Micros at, const Key& key) {
    const std::lock_guard lock{mutex_};
    const auto found = by_key_.find(key);
    if (found == by_key_.end() || !holds(bucket, since)) return std::nullopt;
    const Kept& kept = *found->second;
    if (kept.since >= buckets_[bucket].changed && at < kept.until) {
        rows_.splice(rows_.begin(), rows_, found->second);
        return kept.row;
    }
    rows_.erase(found->second);
    by_key_.erase(found);
    return std::nullopt;
}

void RowCache::put(Sight sight, base::Micros at, const Key& key, const CachedRow& row) {
    const auto bucket = bucket_of(places[key.type], key.key.owner);
    if (sight.writes && buckets_[bucket].changing) {
        if (changing_rows_count_ == rows_max) return;
        auto& rows = changing_rows_[bucket];
        changing_rows_count_ -= std::erase_if(rows, [&](const Kept& kept) { return kept.key == key; });
        rows.push_back({key, row, 0, at + life_max});
        ++changing_rows_count_;
        return;
    }
    const std::lock_guard lock{mutex_};
    if (holds(bucket, sight.since)) put_first({key, row, sight.since, at + life_max});
}

void RowCache::put_first(Kept kept) {
    if (const auto found = by_key_.find(kept.key); found != by_key_.end()) {
        rows_.erase(found->second);
        by_key_.erase(found);
    }
    if (rows_.size() == rows_max) {
        by_key_.erase(rows_.back().key);
        rows_.pop_back();
    }
    rows_.push_front(std::move(kept));
    by_key_.emplace(rows_.front().key, rows_.begin());
}

std::int64_t RowCache::rows() const {
    const std::lock_guard lock{mutex_};
    return static_cast<std::int64_t>(rows_.size());
}

} // namespace clinic::records
