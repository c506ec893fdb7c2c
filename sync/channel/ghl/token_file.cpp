#include "sync/channel/ghl/token_file.h"

#include <algorithm>

#include "crypto/base/files.h"

namespace clinic::ghl {
namespace {

constexpr std::size_t token_bytes_max = 4'096;

bool plain(char c) {
    return c > ' ' && c < 0x7f;
}

} // namespace

Result<std::string> TokenFile::read() const {
    auto text = base::read_text(path_, token_bytes_max);
    if (!text)
        return Error{Errc::locked,
                     "the GHL token cannot be read",
                     "see token_file in the configuration",
                     {},
                     text.error().native};
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r' || text->back() == ' ')) text->pop_back();
    if (text->empty() || !std::all_of(text->begin(), text->end(), plain))
        return Error{Errc::locked, "the GHL token file does not hold a token", "one line, nothing else"};
    return text;
}

Result<std::string> TokenFile::token() {
    const std::lock_guard lock{mutex_};
    std::error_code failed;
    const auto written = std::filesystem::last_write_time(path_, failed);
    if (!token_.empty() && (failed || written == written_)) return token_; // absent: it is being replaced
    auto text = read();
    if (!text) return text;
    token_ = *text;
    written_ = written;
    return text;
}

Result<void> TokenFile::reread() {
    const std::lock_guard lock{mutex_};
    auto text = read();
    if (!text) return text.error();
    token_ = std::move(*text);
    return {};
}

} // namespace clinic::ghl
