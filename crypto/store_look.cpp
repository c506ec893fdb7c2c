#include "crypto/store_look.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "crypto/block_file.h"
#include "crypto/octets.h"
#include "crypto/seal.h"
#include "crypto/superblock.h"

namespace clinic::crypto {
namespace {

using View = std::span<const std::byte>;

bool begins_with(View bytes, std::string_view magic) {
    return std::ranges::equal(bytes.first(magic.size()), std::as_bytes(std::span{magic}));
}

StoreUuid uuid_at(View bytes) {
    StoreUuid read{};
    std::ranges::copy(bytes.first(read.size()), read.begin());
    return read;
}

SuperblockLook look_at_superblock(View image) {
    namespace at = superblock_at;
    SuperblockLook look;
    const Digest sum = digest(image.first(at::checksum));
    look.whole =
        begins_with(image, superblock_magic) && std::ranges::equal(sum, image.subspan(at::checksum, sum.size()));
    look.version = get_number<std::uint32_t>(image.subspan(at::version));
    look.cipher = get_number<std::uint32_t>(image.subspan(at::cipher));
    look.page_size = get_number<std::uint32_t>(image.subspan(at::page_size));
    look.reserve = get_number<std::uint32_t>(image.subspan(at::reserve));
    look.store = uuid_at(image.subspan(at::uuid));
    look.sequence = get_number<std::uint64_t>(image.subspan(at::sequence));
    look.epoch = get_number<std::uint32_t>(image.subspan(at::epoch));
    if (look.whole) look.newer = newer_than_known(look.version, look.cipher);
    if (look.newer) return look;
    const auto slots = std::min<std::size_t>(get_number<std::uint32_t>(image.subspan(at::keys)), superblock_keys_max);
    const bool plain = look.version == superblock_version_plain;
    const std::size_t size = plain ? key_entry_bytes : slot_entry_bytes;
    for (std::size_t i = 0; i < slots; ++i) {
        const auto entry = image.subspan(at::key_table + i * size, size);
        WrappedKeyLook slot{get_number<std::uint32_t>(entry),
                            get_number<std::uint32_t>(entry.subspan(key_entry_epoch_at))};
        if (const auto whole = read_slot_entry(entry, look.version); whole && !plain) {
            slot.number = whole->number;
            slot.made_us = whole->made_us;
            slot.label = whole->label;
        }
        look.slots.push_back(std::move(slot));
    }
    return look;
}

DatabaseLook look_at_database(const ReadFile& file) {
    DatabaseLook look{.bytes = file.bytes()};
    if (look.bytes > main_head_bytes) {
        look.pages = (look.bytes - main_head_bytes) / page_bytes;
        look.odd_bytes = (look.bytes - main_head_bytes) % page_bytes;
    }
    std::array<std::byte, superblock_bytes> image{};
    for (std::size_t i = 0; i < superblocks; ++i)
        if (file.read(i * superblock_bytes, image)) look.blocks[i] = look_at_superblock(image);
    return look;
}

WalLook look_at_wal(const ReadFile& file) {
    WalLook look{.bytes = file.bytes(), .frames = frames_in(file.bytes())};
    std::array<std::byte, 64> head{};
    if (!file.read(0, head)) return look;
    look.named = begins_with(head, preamble_magic);
    const View bytes{head};
    look.version = get_number<std::uint32_t>(bytes.subspan(preamble_at::version));
    look.epoch = get_number<std::uint32_t>(bytes.subspan(preamble_at::epoch));
    look.store = uuid_at(bytes.subspan(preamble_at::uuid));
    return look;
}

KeystoreLook look_at_keystore(const ReadFile& file) {
    KeystoreLook look{.bytes = file.bytes()};
    if (look.bytes > keystore_head_bytes) look.slots = (look.bytes - keystore_head_bytes) / wrapped_key_bytes;
    std::array<std::byte, 64> head{};
    if (!file.read(0, head)) return look;
    look.named = begins_with(head, keystore_magic);
    const View bytes{head};
    look.version = get_number<std::uint32_t>(bytes.subspan(keystore_at::version));
    look.store = uuid_at(bytes.subspan(keystore_at::uuid));
    return look;
}

template <class Look>
Result<std::optional<Look>> look_if_there(const std::filesystem::path& path, Look (*look)(const ReadFile&)) {
    const auto file = ReadFile::open(path);
    if (file) return std::optional<Look>{look(*file)};
    if (file.error().code == Errc::not_found) return std::optional<Look>{};
    return file.error();
}

} // namespace

const SuperblockLook* DatabaseLook::newest() const {
    const SuperblockLook* found = nullptr;
    for (const auto& block : blocks)
        if (block.whole && (found == nullptr || block.sequence > found->sequence)) found = &block;
    return found;
}

const SuperblockLook* DatabaseLook::newer() const {
    const auto found = std::ranges::find_if(blocks, [](const auto& block) { return block.newer.has_value(); });
    return found == blocks.end() ? nullptr : &*found;
}

Result<StoreLook> look_at_store(const std::filesystem::path& folder) {
    auto database = look_if_there(folder / "records.db", look_at_database);
    CLINIC_TRY(database);
    auto wal = look_if_there(folder / "records.db-wal", look_at_wal);
    CLINIC_TRY(wal);
    auto keystore = look_if_there(folder / "keys.db", look_at_keystore);
    CLINIC_TRY(keystore);
    if (!*database && !*wal && !*keystore)
        return Error{Errc::not_found, "there is no file of a store in that folder", "name the records' folder"};
    return StoreLook{std::move(*database), std::move(*wal), std::move(*keystore)};
}

Result<ReadFile> ReadFile::open(const std::filesystem::path& path) {
    base::UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK)};
    if (!file)
        return Error{
            errno == ENOENT ? Errc::not_found : Errc::system, "a file of the store cannot be opened", "", {}, errno};
    struct stat about {};
    if (fstat(file.get(), &about) != 0) return Error{Errc::system, "a file of the store has no state", "", {}, errno};
    if (!S_ISREG(about.st_mode)) return Error{Errc::refused, "what stands in a store file's place is no file"};
    return ReadFile{std::move(file), static_cast<std::uint64_t>(about.st_size)};
}

bool ReadFile::read(std::uint64_t at, std::span<std::byte> out) const {
    const auto whole = try_read(at, out);
    return whole && *whole;
}

Result<bool> ReadFile::try_read(std::uint64_t at, std::span<std::byte> out) const {
    return read_whole(file_.get(), at, out);
}

} // namespace clinic::crypto
