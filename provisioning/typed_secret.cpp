#include "provisioning/typed_secret.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>

#include "crypto/base/process.h"
#include "crypto/passphrase.h"
#include "crypto/recovery_words.h"
#include "crypto/word_list.h"

namespace clinic::provisioning {
namespace {

using crypto::SecureBytes;

constexpr std::size_t columns = 4, rows = crypto::recovery_words / columns;
constexpr std::size_t cell_bytes = 2 + 2 + crypto::word_letters_max + 4; // "24. ", the word, and room
constexpr unsigned char interrupt = 3, end_of_input = 4, backspace = 8, erase_line = 21, rubout = 127;

ssize_t read_some(std::span<std::byte> into) {
    ssize_t got = -1;
    do got = read(STDIN_FILENO, into.data(), into.size());
    while (got < 0 && errno == EINTR);
    return got;
}

// One line of it into `line`; nullopt: it was given up, or is longer than fits.
std::optional<std::size_t> read_line(std::span<std::byte> line) {
    SecureBytes letter = SecureBytes::zeroed(1);
    for (std::size_t size = 0;;) {
        if (read_some(letter.bytes()) != 1) return std::nullopt;
        const auto key = std::to_integer<unsigned char>(letter.bytes().front());
        if (key == '\n' || key == '\r') return size;
        if (key == interrupt || key == end_of_input) return std::nullopt;
        if (key == erase_line)
            size = 0;
        else if (key == backspace || key == rubout)
            size -= size > 0 ? 1 : 0;
        else if (size == line.size())
            return std::nullopt;
        else
            line[size++] = letter.bytes().front();
    }
}

} // namespace

UnseenTerminal::UnseenTerminal() {
    held_ = tcgetattr(STDIN_FILENO, &before_) == 0;
    termios now = before_;
    now.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG);
    now.c_cc[VMIN] = 1;
    now.c_cc[VTIME] = 0;
    held_ = held_ && tcsetattr(STDIN_FILENO, TCSANOW, &now) == 0;
}

UnseenTerminal::~UnseenTerminal() {
    if (held_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

bool keep_memory_private() {
    if (base::close_dumps()) return true;
    std::fputs("clinicctl: this process could leave its memory on the disk, so no key is handled; run it as root\n",
               stderr);
    return false;
}

bool is_typed() {
    return isatty(STDIN_FILENO) == 1;
}

std::optional<SecureBytes> type_unseen(const char* what) {
    SecureBytes line = SecureBytes::zeroed(crypto::passphrase_bytes_max);
    std::optional<std::size_t> size;
    {
        const UnseenTerminal terminal; // before anybody is asked: who types at once is not shown either
        std::fputs(what, stderr);
        std::fflush(stderr);
        if (terminal.is_unseen()) size = read_line(line.bytes());
    }
    std::fputc('\n', stderr);
    if (!size) return std::nullopt;
    return SecureBytes::copy_of(line.bytes().first(*size));
}

std::optional<SecureBytes> read_piped(std::size_t bytes_max) {
    SecureBytes all = SecureBytes::zeroed(bytes_max + 1);
    std::size_t size = 0;
    while (size < all.size()) {
        const ssize_t got = read_some(all.bytes().subspan(size));
        if (got < 0) return std::nullopt;
        if (got == 0) break;
        size += static_cast<std::size_t>(got);
    }
    if (size > bytes_max) return std::nullopt;
    for (const char end : {'\n', '\r'})
        if (size > 0 && all.bytes()[size - 1] == static_cast<std::byte>(end)) --size;
    return SecureBytes::copy_of(all.bytes().first(size));
}

SecureBytes word_grid(const SecureBytes& words) {
    const std::string_view text{reinterpret_cast<const char*>(words.bytes().data()), words.size()};
    SecureBytes grid = SecureBytes::zeroed(rows * (columns * cell_bytes + 1));
    std::ranges::fill(grid.bytes(), std::byte{' '});
    const auto put = [&](std::size_t at, char letter) { grid.bytes()[at] = static_cast<std::byte>(letter); };
    std::size_t from = 0;
    for (std::size_t i = 0; i < crypto::recovery_words && from < text.size(); ++i) {
        std::size_t at = i / columns * (columns * cell_bytes + 1) + i % columns * cell_bytes;
        const std::size_t number = i + 1;
        if (number >= 10) put(at, static_cast<char>('0' + number / 10));
        put(at + 1, static_cast<char>('0' + number % 10));
        put(at + 2, '.');
        at += 4;
        for (; from < text.size() && text[from] != ' '; ++from) put(at++, text[from]);
        ++from;
    }
    for (std::size_t row = 1; row <= rows; ++row) put(row * (columns * cell_bytes + 1) - 1, '\n');
    return grid;
}

void put_out(const SecureBytes& text) {
    std::fflush(stdout);
    for (std::span<const std::byte> left = text.bytes(); !left.empty();) {
        const ssize_t put = write(STDOUT_FILENO, left.data(), left.size());
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return;
        left = left.subspan(static_cast<std::size_t>(put));
    }
}

} // namespace clinic::provisioning
