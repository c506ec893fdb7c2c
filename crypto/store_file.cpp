#include "crypto/store_file.h"

#include <algorithm>

#include "crypto/base/files.h"
#include "crypto/first_page.h"
#include "crypto/page_cipher.h"
#include "crypto/seal.h"

namespace clinic::crypto {
namespace {

constexpr unsigned file_mode = 0600;

} // namespace

Result<void> write_store_file(const std::filesystem::path& database, Superblock& superblock,
                              const SecureBytes& store_key) {
    const PageCipher cipher{superblock.cipher, store_key, superblock.epoch, superblock.store};
    Bytes file(main_head_bytes + page_bytes);
    const std::span<std::byte> bytes{file};
    Superblock second = superblock;
    ++second.sequence;
    std::ranges::copy(make_superblock(superblock, store_key), bytes.begin());
    std::ranges::copy(make_superblock(second, store_key), bytes.subspan(superblock_bytes).begin());
    const Page page = empty_first_page();
    cipher.seal({Piece::page, 1}, std::span{page}.first(page_plain_bytes), bytes.subspan(main_head_bytes));
    CLINIC_TRY(base::write_durable(database, file, file_mode));
    superblock = second;
    return {};
}

} // namespace clinic::crypto
