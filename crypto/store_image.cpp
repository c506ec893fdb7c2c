#include "crypto/store_image.h"

#include <algorithm>
#include <memory>

#include "crypto/octets.h"
#include "crypto/seal.h"
#include "crypto/wal_checksum.h"
#include "crypto/wal_frame.h"
#include "crypto/wal_preamble.h"

namespace clinic::crypto {
namespace {

constexpr std::uint32_t pages_max = 0xFFFFFFFE;
constexpr std::size_t commit_pages_at = 4; // in SQLite's frame header: the database's pages after a commit, or 0

// The slot that opened, and the others that read: whether those open is known to whoever has their keys.
std::vector<SlotEntry> slots_of(std::span<const std::byte> image, std::uint32_t version, SlotEntry opened) {
    std::vector<SlotEntry> slots{std::move(opened)};
    if (version == superblock_version_plain) return slots;
    for (std::size_t entry = 0; entry < superblock_keys_max; ++entry) {
        auto read = read_slot_entry(
            image.subspan(superblock_at::key_table + entry * slot_entry_bytes, slot_entry_bytes), version);
        const auto is_known = [&](const SlotEntry& slot) {
            return slot.number == read->number ||
                   (slot.kind == SlotKind::passphrase && read->kind == SlotKind::passphrase);
        };
        if (read && std::ranges::none_of(slots, is_known)) slots.push_back(std::move(*read));
    }
    std::ranges::sort(slots, {}, &SlotEntry::number);
    return slots;
}

// Both superblocks are damaged, and a wrapped key in one of them still opens: the uuid and the epoch that it is bound
// to are right then.
Result<std::optional<OpenedSuperblock>> open_damaged(std::span<const std::byte> head, const KeySlot& slot) {
    namespace at = superblock_at;
    const auto image_of = [&](std::size_t i) { return head.subspan(i * superblock_bytes, superblock_bytes); };
    const auto sequence_of = [&](std::size_t i) {
        return get_number<std::uint64_t>(image_of(i).subspan(at::sequence));
    };
    std::array order{std::size_t{0}, std::size_t{1}}; // the newer one first, as far as they say
    std::ranges::sort(order, std::ranges::greater{}, sequence_of);
    for (const std::size_t i : order) {
        const auto image = image_of(i);
        Superblock fields;
        std::ranges::copy(image.subspan(at::uuid, fields.store.size()), fields.store.begin());
        fields.sequence = get_number<std::uint64_t>(image.subspan(at::sequence));
        fields.epoch = get_number<std::uint32_t>(image.subspan(at::epoch));
        const CipherId cipher{get_number<std::uint32_t>(image.subspan(at::cipher))};
        if (is_known(cipher)) fields.cipher = cipher;
        // The first entry of a table with slots reads as a plain one, too.
        for (const auto version : {superblock_version_slots, superblock_version_plain}) {
            const std::size_t size = version == superblock_version_plain ? key_entry_bytes : slot_entry_bytes;
            for (std::size_t entry = 0; entry < superblock_keys_max; ++entry) {
                auto read = read_slot_entry(image.subspan(at::key_table + entry * size, size), version);
                if (!read) continue;
                auto key = open_slot_entry(*read, fields.store, slot);
                CLINIC_TRY(key);
                if (!*key) continue;
                OpenedSuperblock opened{.superblock = fields, .store_key = std::move(**key), .used = i};
                opened.other_damaged = true;
                opened.slot = read->number;
                opened.superblock.version = version;
                opened.superblock.slots = slots_of(image, version, std::move(*read));
                return std::optional{std::move(opened)};
            }
        }
    }
    return std::optional<OpenedSuperblock>{};
}

// The cipher that a damaged superblock may not say: the one that opens a page of the first few.
CipherId cipher_of_pages(const ReadFile& file, const OpenedSuperblock& opened) {
    constexpr std::uint64_t pages_tried = 64;
    const auto sealed = std::make_unique<Page>(), plain = std::make_unique<Page>();
    for (const auto id : {CipherId::xchacha20_poly1305, CipherId::aes256_gcm}) {
        const PageCipher cipher{id, opened.store_key, opened.superblock.epoch, opened.superblock.store};
        for (std::uint64_t page = 1; page <= pages_tried; ++page)
            if (file.read(page_offset(page), *sealed) &&
                cipher.open({Piece::page, page}, *sealed, std::span{*plain}.first(page_plain_bytes)))
                return id;
    }
    return opened.superblock.cipher;
}

// A WAL as far as it can be read: of each slot the header, and whether its page opens.
struct Slot {
    std::optional<MarkedHead> head; // of this generation
    bool whole = false;
    bool refused = false; // the disk does not give it
    bool follows = false; // its checksum is that of the frame before and itself
};

class WalReader {
public:
    WalReader(const ReadFile& file, const PageCipher& cipher) : file_{file}, cipher_{cipher} {}

    PreambleLook read_head() {
        const auto preamble = std::make_unique<Preamble>();
        const bool given = file_.read(0, *preamble);
        const auto look = given ? open_preamble(cipher_, *preamble, head_) : PreambleLook::damaged;
        if (look == PreambleLook::whole) {
            generation = salts_of_wal_head(head_);
            return look;
        }
        look_at_frames();
        const bool is_ours = look == PreambleLook::blank ? synced_ : found_;
        return is_ours ? PreambleLook::damaged : look;
    }

    std::vector<Slot> read_slots(std::uint64_t frames, bool head_is_whole) {
        std::vector<Slot> slots;
        slots.reserve(frames);
        std::optional<WalChecksum> before;
        if (head_is_whole) before = WalChecksum::of_wal_head(head_);
        const bool big_endian = head_is_whole && has_big_endian_checksums(head_);
        const auto page = std::make_unique<Page>();
        for (std::uint64_t number = 1; number <= frames; ++number) {
            Slot slot = read_slot(number, *page);
            slot.follows =
                slot.whole && before &&
                before->of_next(slot.head->head, *page, big_endian) == WalChecksum::of_frame_head(slot.head->head);
            before = slot.head ? std::optional{WalChecksum::of_frame_head(slot.head->head)} : std::nullopt;
            slots.push_back(std::move(slot));
        }
        return slots;
    }

    std::uint64_t generation = 0;

private:
    Slot read_slot(std::uint64_t number, Page& page) const {
        std::array<std::byte, slot_bytes> sealed{};
        if (!file_.read(slot_offset(number), sealed)) return {.refused = true};
        const std::span<const std::byte> bytes{sealed};
        Slot slot{.head = open_frame_head(cipher_, number, bytes.first(sealed_frame_head_bytes))};
        if (slot.head && slot.head->salts() != generation) slot.head.reset();
        slot.whole = open_frame_page(cipher_, number, generation, bytes.subspan(sealed_frame_head_bytes), page);
        slot.whole = slot.whole && slot.head;
        return slot;
    }

    // Where the header does not say it. Frames of earlier generations stand behind the present one's.
    void look_at_frames() {
        SealedFrameHead sealed{};
        for (std::uint64_t number = 1; number <= frames_in(file_.bytes()); ++number) {
            if (!file_.read(slot_offset(number), sealed)) continue;
            const auto head = open_frame_head(cipher_, number, sealed);
            if (!head) continue;
            if (!found_) generation = head->salts();
            found_ = true;
            synced_ = synced_ || head->synced > 0;
        }
    }

    const ReadFile& file_;
    const PageCipher& cipher_;
    WalHead head_{};
    bool found_ = false, synced_ = false; // a frame of this store, and one that says that frames were synced
};

// How many frames count. Frames that some later one says were synced had been committed. Behind them a frame counts
// while it follows the one before: what does not is left over from a transaction that was undone.
std::uint64_t real_frames(const std::vector<Slot>& slots) {
    std::uint64_t real = 0;
    for (const Slot& slot : slots)
        if (slot.whole) real = std::max(real, slot.head->synced);
    real = std::min<std::uint64_t>(real, slots.size());
    while (real < slots.size() && slots[real].whole && slots[real].follows) ++real;
    return real;
}

std::uint32_t pages_after_commit(const Slot& slot) {
    return get_number<std::uint32_t>(std::span{slot.head->head}.subspan(commit_pages_at));
}

} // namespace

Result<StoreImage> StoreImage::open(const std::filesystem::path& database, const KeySlot& slot) {
    if (!start()) return Error{Errc::system, "libsodium does not start"};
    auto file = ReadFile::open(database);
    if (!file) return file.error();
    std::filesystem::path beside = database;
    beside += "-wal";
    auto wal = ReadFile::open(beside);
    if (!wal && wal.error().code != Errc::not_found) return wal.error();

    Bytes head(main_head_bytes);
    const auto whole = file->try_read(0, head);
    CLINIC_TRY(whole);
    if (!*whole)
        return Error{Errc::tampered, "the store's file ends within its superblocks", "restore it from a backup"};
    auto opened = open_superblocks(head, slot);
    if (!opened && opened.error().code != Errc::tampered) return opened.error();
    const bool both = !opened;
    if (both) {
        auto damaged = open_damaged(head, slot);
        CLINIC_TRY(damaged);
        if (!*damaged) return opened.error();
        opened = std::move(**damaged);
        opened->superblock.cipher = cipher_of_pages(*file, *opened);
    }
    const bool one = opened->other_damaged;
    StoreImage image{std::move(*file), wal ? std::optional{std::move(*wal)} : std::nullopt, std::move(*opened)};
    image.damaged_superblocks_ = both ? 2 : one ? 1 : 0;
    CLINIC_TRY(image.read_wal());
    return image;
}

StoreImage::StoreImage(ReadFile file, std::optional<ReadFile> wal, OpenedSuperblock opened)
    : file_{std::move(file)}, wal_file_{std::move(wal)}, superblock_{opened.superblock}, slot_{opened.slot},
      store_key_{std::move(opened.store_key)}, cipher_{superblock_.cipher, store_key_, superblock_.epoch,
                                                       superblock_.store},
      pages_{static_cast<std::uint32_t>(std::min<std::uint64_t>(
          pages_max, file_.bytes() < main_head_bytes ? 0 : (file_.bytes() - main_head_bytes) / page_bytes))} {}

Result<void> StoreImage::read_wal() {
    if (!wal_file_ || wal_file_->bytes() < preamble_bytes) return {};
    WalReader reader{*wal_file_, cipher_};
    const auto look = reader.read_head();
    wal_.frames = frames_in(wal_file_->bytes());
    if (look == PreambleLook::newer)
        return Error{Errc::newer, "the WAL has a newer format than this program knows", "update the program"};
    wal_.foreign = look == PreambleLook::foreign;
    wal_.head_damaged = look == PreambleLook::damaged;
    if (wal_.foreign || look == PreambleLook::blank) return {};
    generation_ = reader.generation;
    const auto slots = reader.read_slots(wal_.frames, look == PreambleLook::whole);
    const std::uint64_t real = real_frames(slots);

    for (std::uint64_t number = real; number > 0 && wal_.committed == 0; --number)
        if (const Slot& slot = slots[number - 1]; slot.whole && pages_after_commit(slot) != 0) {
            wal_.committed = number;
            pages_ = pages_after_commit(slot);
        }
    const std::uint64_t sized = wal_.committed;
    // A commit whose own frame is damaged counts where later frames say that it was on the disk.
    for (const Slot& slot : slots)
        if (slot.whole) wal_.committed = std::max(wal_.committed, std::min(real, slot.head->synced));
    for (std::uint64_t number = 1; number <= wal_.committed; ++number) {
        const Slot& slot = slots[number - 1];
        if (!slot.whole) wal_.damaged.push_back(number);
        if (!slot.whole && !slot.head) ++wal_.unnamed;
        if (!slot.head) continue;
        const std::uint32_t page = slot.head->page();
        std::erase(wal_.older, page);
        if (slot.whole)
            newest_[page] = number;
        else
            wal_.older.push_back(page);
        if (number > sized) pages_ = std::max(pages_, page);
    }
    // One that the disk does not give may have been committed too.
    for (std::uint64_t number = wal_.committed + 1; number <= slots.size(); ++number)
        if (slots[number - 1].refused) wal_.damaged.push_back(number);
    return {};
}

SecureBytes StoreImage::subkey(std::uint64_t id) const {
    return derive(store_key_, id, "clinicst");
}

bool StoreImage::read(std::uint32_t page, Page& out) const {
    const auto found = newest_.find(page);
    if (found == newest_.end()) return in_file(page, out);
    SealedFramePage sealed{};
    out.fill(std::byte{0});
    if (!wal_file_->read(slot_offset(found->second) + sealed_frame_head_bytes, sealed)) return is_refused(page);
    return open_frame_page(cipher_, found->second, generation_, sealed, out);
}

bool StoreImage::in_file(std::uint32_t page, Page& out) const {
    Page sealed{};
    out.fill(std::byte{0});
    const std::uint64_t at = page_offset(page);
    if (at + page_bytes > file_.bytes()) return false;
    if (!file_.read(at, sealed)) return is_refused(page);
    return cipher_.open({Piece::page, page}, sealed, std::span{out}.first(page_plain_bytes));
}

bool StoreImage::is_refused(std::uint32_t page) const {
    refused_.insert(page);
    return false;
}

} // namespace clinic::crypto
