#include "provisioning/setup/words_file.h"

#include <sodium.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>

#include "crypto/secret_file.h"

namespace clinic::setup {
namespace {

constexpr std::size_t file_bytes_max = 4'096;

bool is_of(const std::filesystem::path& file, const std::string& mark) {
    const auto words = crypto::read_secret_file(file, file_bytes_max);
    return words && mark_of(words->bytes()) == mark;
}

} // namespace

std::string mark_of(std::span<const std::byte> words) {
    std::array<unsigned char, crypto_generichash_BYTES> mark{};
    crypto_generichash(mark.data(), mark.size(), reinterpret_cast<const unsigned char*>(words.data()), words.size(),
                       nullptr, 0);
    std::array<char, 2 * crypto_generichash_BYTES + 1> hex{};
    return sodium_bin2hex(hex.data(), hex.size(), mark.data(), mark.size());
}

std::string wrong_with_words_file(const std::filesystem::path& file, const std::string& mark) {
    std::error_code none;
    if (!std::filesystem::is_directory(file.parent_path(), none)) return "is in a folder that is not there";
    struct stat about {};
    if (lstat(file.c_str(), &about) != 0) return errno == ENOENT ? std::string{} : "cannot be looked at";
    if (!mark.empty() && is_of(file, mark)) return {};
    return "is there already, and may be another clinic's: take it away, or name another";
}

} // namespace clinic::setup
