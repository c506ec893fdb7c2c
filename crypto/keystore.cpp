#include "crypto/keystore.h"

#include <sodium.h>

#include <algorithm>
#include <cassert>
#include <mutex>
#include <vector>

#include "crypto/base/files.h"
#include "crypto/base/log.h"
#include "crypto/block_file.h"
#include "crypto/octets.h"
#include "crypto/seal.h"
#include "crypto/store_layout.h"

namespace clinic::crypto {
namespace {

namespace at = keystore_at;
constexpr std::uint32_t keystore_version = 1;
constexpr std::size_t slot_size = wrapped_key_bytes;

constexpr std::size_t pool = Keystore::pool_slots_min;
constexpr std::size_t refill_below = pool / 4;
constexpr std::size_t file_bytes_max = keystore_head_bytes + Keystore::file_slots_max * slot_size;
constexpr Error damaged_head{Errc::tampered, "the keystore's header is damaged",
                             "clinicctl store salvage, or store mend-keys with a copy of it, writes it anew"};

enum class Content : std::uint8_t { unread = 0, key = 1, erased = 2, damaged = 3 };

constexpr std::uint64_t offset_of(std::size_t slot) {
    return key_slot_offset(static_cast<std::int64_t>(slot));
}

// Whole ones, in a file of that size.
constexpr std::int64_t slots_of(std::uint64_t file_bytes) {
    return file_bytes < keystore_head_bytes ? 0
                                            : static_cast<std::int64_t>((file_bytes - keystore_head_bytes) / slot_size);
}

Digest head_mac(const SecureBytes& key, std::span<const std::byte> head) {
    Digest made{};
    crypto_generichash(octets(made), made.size(), octets(head), at::mac, octets(key.bytes()), key.size());
    return made;
}

bool has_mac(const SecureBytes& key, std::span<const std::byte> head) {
    const Digest expected = head_mac(key, head);
    return sodium_memcmp(expected.data(), head.subspan(at::mac).data(), expected.size()) == 0;
}

} // namespace

struct Keystore::State {
    State(BlockFile opened, const SecureBytes& wrapping, const StoreUuid& of)
        : file{std::move(opened)}, head{new_head(wrapping, of)}, slot_key{slot_key_of(wrapping)}, store{of} {}

    static SecureBytes head_key_of(const SecureBytes& wrapping) { return derive(wrapping, 1, "keystore"); }
    static SecureBytes slot_key_of(const SecureBytes& wrapping) { return derive(wrapping, 2, "keystore"); }

    static std::array<std::byte, 32> associated(const StoreUuid& store, std::size_t slot, Content content) {
        std::array<std::byte, 32> made{};
        const std::span<std::byte> bytes{made};
        put_number(bytes, keystore_version);
        std::ranges::copy(store, bytes.subspan(4).begin());
        put_number(bytes.subspan(20), static_cast<std::uint32_t>(content));
        put_number(bytes.subspan(24), static_cast<std::uint64_t>(slot));
        return made;
    }

    // New keys in `count` slots, the first of them numbered `first`.
    static Bytes fresh_slots(const SecureBytes& slot_key, const StoreUuid& store, std::size_t first,
                             std::size_t count) {
        Bytes made;
        made.reserve(count * slot_size);
        for (std::size_t slot = first; slot < first + count; ++slot) {
            const SecureBytes key = SecureBytes::random(key_bytes);
            const Bytes sealed = seal(slot_key, key.bytes(), associated(store, slot, Content::key));
            made.insert(made.end(), sealed.begin(), sealed.end());
        }
        return made;
    }

    static Bytes new_head(const SecureBytes& wrapping, const StoreUuid& store) {
        Bytes made(keystore_head_bytes);
        const std::span<std::byte> head{made};
        std::ranges::copy(std::as_bytes(std::span{keystore_magic}), head.begin());
        put_number(head.subspan(at::version), keystore_version);
        put_number(head.subspan(at::slot_size), static_cast<std::uint32_t>(slot_size));
        std::ranges::copy(store, head.subspan(at::uuid).begin());
        std::ranges::copy(head_mac(head_key_of(wrapping), head), head.subspan(at::mac).begin());
        return made;
    }

    static Bytes new_file(const SecureBytes& wrapping, const StoreUuid& store) {
        Bytes made = new_head(wrapping, store);
        const Bytes slots = fresh_slots(slot_key_of(wrapping), store, 1, pool);
        made.insert(made.end(), slots.begin(), slots.end());
        return made;
    }

    // Whether the header is whole. One that is not may be damaged, or another's: its own MAC says so, or a slot.
    static Result<bool> check_head(std::span<const std::byte> file, const SecureBytes& wrapping,
                                   const StoreUuid& store) {
        if (file.size() < keystore_head_bytes) return damaged_head;
        const auto head = file.first(keystore_head_bytes);
        if (std::ranges::equal(head, new_head(wrapping, store))) return true;
        const bool is_somebodys = has_mac(head_key_of(wrapping), head);
        if (!is_somebodys && one_opens(slot_key_of(wrapping), store, file.subspan(keystore_head_bytes))) return false;
        if (!std::ranges::equal(head.first(keystore_magic.size()), std::as_bytes(std::span{keystore_magic})))
            return damaged_head;
        if (get_number<std::uint32_t>(head.subspan(at::version)) > keystore_version)
            return Error{Errc::newer, "the keystore has a newer format than this program knows", "update the program"};
        if (!std::ranges::equal(head.subspan(at::uuid, store.size()), store))
            return Error{Errc::conflict, "the keystore belongs to another store", "put the store's own keystore back"};
        return damaged_head;
    }

    static bool one_opens(const SecureBytes& slot_key, const StoreUuid& store, std::span<const std::byte> slots) {
        const std::size_t count = std::min(slots.size() / slot_size, pool);
        for (std::size_t slot = 1; slot <= count; ++slot)
            if (content_of(slot_key, store, slot, slots.subspan((slot - 1) * slot_size, slot_size)) != Content::damaged)
                return true;
        return false;
    }

    // Of the file and not of what is known of it.
    static Result<void> mend_head(const BlockFile& file, const SecureBytes& wrapping, const StoreUuid& store) {
        Bytes first(keystore_head_bytes + pool * slot_size);
        const auto size = file.size();
        CLINIC_TRY(size);
        first.resize(std::min<std::uint64_t>(*size, first.size()));
        const auto read = file.read(0, first);
        CLINIC_TRY(read);
        const auto is_whole = check_head(first, wrapping, store);
        CLINIC_TRY(is_whole);
        if (!*is_whole) mend_head(file, new_head(wrapping, store));
        return {};
    }

    // A disk that refuses it keeps nobody from the keys.
    static void mend_head(const BlockFile& file, std::span<const std::byte> head) {
        base::log(base::Level::warning, "keystore", "the header is damaged; it is written anew");
        auto written = file.write(0, head);
        if (written) written = file.sync();
        if (!written) base::log(base::Level::error, "keystore: the header", written.error());
    }

    // What a slot holds is read when it is asked for: a start must not take longer with each patient. A part of a slot
    // at the end is none.
    Result<void> count_slots() {
        const auto size = file.size();
        if (!size) return size.error();
        const auto count = static_cast<std::size_t>(slots_of(*size));
        if (count > static_cast<std::size_t>(file_slots_max))
            return Error{Errc::full, "the keystore is longer than its bound"};
        contents.assign(count, Content::unread);
        return {};
    }

    bool holds_key(std::size_t slot) {
        Content& content = contents[slot - 1];
        if (content == Content::unread) {
            std::array<std::byte, slot_size> sealed{};
            const auto read = file.read(offset_of(slot), sealed);
            if (!read || !*read) return false;
            content = content_of(slot, sealed);
            if (content == Content::damaged)
                base::log(base::Level::warning, "keystore", "a slot does not open",
                          {{"slot", static_cast<std::int64_t>(slot)}});
        }
        return content == Content::key;
    }

    Content content_of(std::size_t slot, std::span<const std::byte> sealed) const {
        return content_of(slot_key, store, slot, sealed);
    }
    static Content content_of(const SecureBytes& slot_key, const StoreUuid& store, std::size_t slot,
                              std::span<const std::byte> sealed) {
        for (const auto content : {Content::key, Content::erased})
            if (is_authentic(slot_key, sealed, associated(store, slot, content))) return content;
        return Content::damaged;
    }

    // Whole slots, the first of them numbered `first`.
    static void look_through(const SecureBytes& slot_key, const StoreUuid& store, std::int64_t first,
                             std::span<const std::byte> slots, KeystoreFindings& found) {
        for (auto slot = first; slots.size() >= slot_size; ++slot, slots = slots.subspan(slot_size)) {
            ++found.slots;
            const auto content = content_of(slot_key, store, static_cast<std::size_t>(slot), slots.first(slot_size));
            if (content == Content::erased) ++found.erased;
            if (content == Content::damaged) found.damaged.push_back(slot);
        }
    }

    static Result<KeystoreFindings> examine(std::span<const std::byte> file, const SecureBytes& wrapping,
                                            const StoreUuid& store) {
        KeystoreFindings found;
        const auto head = check_head(file, wrapping, store);
        if (!head && head.error().code != Errc::tampered) return head.error();
        found.head_whole = head.has_value() && *head;
        if (file.size() > keystore_head_bytes)
            look_through(slot_key_of(wrapping), store, 1, file.subspan(keystore_head_bytes), found);
        return found;
    }

    // What a whole slot of a copy holds is that slot's.
    static bool fits_slot(const SecureBytes& slot_key, const StoreUuid& store, std::int64_t slot,
                          std::span<const std::byte> sealed, const Fits& fits) {
        const auto key = open_key(slot_key, sealed, associated(store, static_cast<std::size_t>(slot), Content::key));
        return fits({slot}, key ? &*key : nullptr);
    }

    // Written behind the last slot and synced before any of them is given out: a torn write harms no older one.
    Result<void> extend() {
        if (contents.size() + pool > static_cast<std::size_t>(file_slots_max))
            return Error{Errc::full, "the keystore has no room for more keys"};
        const std::size_t first = contents.size() + 1;
        CLINIC_TRY(file.write(offset_of(first), fresh_slots(slot_key, store, first, pool)));
        CLINIC_TRY(file.sync());
        contents.resize(contents.size() + pool, Content::key);
        return {};
    }

    std::size_t free_above(std::size_t highest_used) {
        std::size_t free = 0;
        for (std::size_t slot = highest_used + 1; slot <= contents.size(); ++slot)
            if (holds_key(slot)) ++free;
        return free;
    }

    const BlockFile file;
    const Bytes head;
    const SecureBytes slot_key;
    const StoreUuid store;
    mutable std::mutex mutex;
    std::vector<Content> contents; // by slot, from slot 1 on
};

Result<std::unique_ptr<Keystore>> Keystore::open(const std::filesystem::path& path, const SecureBytes& wrapping,
                                                 const StoreUuid& store, IfAbsent if_absent) {
    auto file = BlockFile::open(path);
    if (!file && file.error().code == Errc::not_found && if_absent == IfAbsent::create) {
        CLINIC_TRY(base::write_durable(path, State::new_file(wrapping, store), 0600));
        file = BlockFile::open(path);
    }
    if (!file) return file.error();
    CLINIC_TRY(State::mend_head(*file, wrapping, store));
    auto state = std::make_unique<State>(std::move(*file), wrapping, store);
    CLINIC_TRY(state->count_slots());
    return std::unique_ptr<Keystore>{new Keystore{std::move(state)}};
}

Result<KeystoreFindings> Keystore::examine(const std::filesystem::path& path, const SecureBytes& wrapping,
                                           const StoreUuid& store, SlotId highest_used) {
    assert(highest_used.value <= file_slots_max);
    const auto bytes = base::read_bytes(path, file_bytes_max);
    CLINIC_TRY(bytes);
    auto found = State::examine(*bytes, wrapping, store);
    CLINIC_TRY(found);
    for (auto slot = found->slots + 1; slot <= highest_used.value; ++slot) found->damaged.push_back(slot);
    return found;
}

Result<void> Keystore::copy(const std::filesystem::path& from, const std::filesystem::path& to,
                            const SecureBytes& wrapping, const StoreUuid& store, SlotId highest_used) {
    assert(highest_used.value <= file_slots_max);
    auto bytes = base::read_bytes(from, file_bytes_max);
    CLINIC_TRY(bytes);
    const auto head = State::check_head(*bytes, wrapping, store);
    if (!head && head.error().code != Errc::tampered) return head.error();
    const auto slots = std::max(slots_of(bytes->size()), highest_used.value);
    bytes->resize(key_slot_offset(slots + 1));
    std::ranges::copy(State::new_head(wrapping, store), bytes->begin());
    return base::write_durable(to, *bytes, 0600);
}

Result<std::int64_t> Keystore::mend(const std::filesystem::path& path, const std::filesystem::path& copy,
                                    const SecureBytes& wrapping, const StoreUuid& store, const Fits& fits) {
    const auto ours = base::read_bytes(path, file_bytes_max);
    CLINIC_TRY(ours);
    const auto found = State::examine(*ours, wrapping, store);
    CLINIC_TRY(found);
    const auto theirs = base::read_bytes(copy, file_bytes_max); // wherever it lies, and whoever owns it
    CLINIC_TRY(theirs);
    const auto of_the_copy = State::examine(*theirs, wrapping, store);
    CLINIC_TRY(of_the_copy);
    if (!of_the_copy->head_whole) return damaged_head;
    const auto file = BlockFile::open(path);
    CLINIC_TRY(file);
    if (!found->head_whole) State::mend_head(*file, State::new_head(wrapping, store));
    const auto slot_key = State::slot_key_of(wrapping);
    std::int64_t mended = 0;
    for (std::int64_t slot = 1; slot <= of_the_copy->slots; ++slot) {
        const bool whole = slot <= found->slots && !std::ranges::binary_search(found->damaged, slot);
        if (whole || std::ranges::binary_search(of_the_copy->damaged, slot)) continue;
        const auto at = key_slot_offset(slot);
        const auto sealed = std::span{*theirs}.subspan(at, slot_size);
        if (!State::fits_slot(slot_key, store, slot, sealed, fits)) continue;
        CLINIC_TRY(file->write(at, sealed));
        ++mended;
    }
    CLINIC_TRY(file->sync());
    return mended;
}

Keystore::Keystore(std::unique_ptr<State> state) : state_{std::move(state)} {}
Keystore::~Keystore() = default;

Result<SlotId> Keystore::next_free(SlotId highest_used) {
    assert(highest_used.value >= 0);
    const std::scoped_lock lock{state_->mutex};
    const auto used = static_cast<std::size_t>(highest_used.value);
    if (used > state_->contents.size())
        return Error{Errc::corrupt, "the keystore ends before the store's last key", "restore its newest backup"};
    if (state_->free_above(used) < refill_below) {
        const auto extended = state_->extend();
        if (!extended && state_->free_above(used) == 0) return extended.error();
        if (!extended) base::log(base::Level::warning, "keystore", extended.error());
    }
    std::size_t slot = used + 1;
    while (!state_->holds_key(slot)) ++slot; // there is one: they were counted
    return SlotId{static_cast<std::int64_t>(slot)};
}

Result<SecureBytes> Keystore::key(SlotId slot) {
    const std::scoped_lock lock{state_->mutex};
    if (slot.value < 1) return Error{Errc::not_found, "no such key slot"};
    const auto number = static_cast<std::size_t>(slot.value);
    if (number > state_->contents.size())
        return Error{Errc::corrupt, "the keystore ends before this key", "restore its newest backup"};

    std::array<std::byte, slot_size> sealed{};
    const auto read = state_->file.read(offset_of(number), sealed);
    if (!read) return read.error();
    auto key = open_key(state_->slot_key, sealed, State::associated(state_->store, number, Content::key));
    if (key) return key;
    if (state_->content_of(number, sealed) == Content::erased) return Error{Errc::not_found, "the key was erased"};
    return Error{Errc::tampered, "a key slot does not open", "restore the keystore from its backup"};
}

// Overwritten with a sealed mark of its own: that a key is gone on purpose can be told from damage.
Result<void> Keystore::erase(SlotId slot) {
    const std::scoped_lock lock{state_->mutex};
    if (slot.value < 1 || static_cast<std::size_t>(slot.value) > state_->contents.size()) return {};
    const auto number = static_cast<std::size_t>(slot.value);
    const SecureBytes nothing = SecureBytes::zeroed(key_bytes);
    const auto associated = State::associated(state_->store, number, Content::erased);
    state_->contents[number - 1] = Content::damaged; // until the mark is known to be there
    CLINIC_TRY(state_->file.write(offset_of(number), seal(state_->slot_key, nothing.bytes(), associated)));
    CLINIC_TRY(state_->file.sync());
    state_->contents[number - 1] = Content::erased;
    return {};
}

Result<KeystoreFindings> Keystore::look(SlotId first, std::int64_t slots_max) {
    assert(first.value >= 1 && slots_max >= 0);
    const std::scoped_lock lock{state_->mutex};
    Bytes head(keystore_head_bytes);
    const auto there = state_->file.read(0, head);
    CLINIC_TRY(there);
    if (head != state_->head) State::mend_head(state_->file, state_->head);
    KeystoreFindings found{.head_whole = true};
    const auto size = state_->file.size();
    CLINIC_TRY(size);
    const auto at = key_slot_offset(first.value);
    if (*size < at + slot_size) return found;
    Bytes slots(std::min<std::uint64_t>(static_cast<std::uint64_t>(slots_max), (*size - at) / slot_size) * slot_size);
    const auto read = state_->file.read(at, slots);
    CLINIC_TRY(read);
    if (*read) State::look_through(state_->slot_key, state_->store, first.value, slots, found);
    return found;
}

int Keystore::free_slots(SlotId highest_used) const {
    const std::scoped_lock lock{state_->mutex};
    return static_cast<int>(
        state_->free_above(static_cast<std::size_t>(std::max<std::int64_t>(0, highest_used.value))));
}

} // namespace clinic::crypto
