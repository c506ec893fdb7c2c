#include "daemon/api/trust.h"

#include "crypto/base/files.h"
#include "crypto/certificates/certificates.h"

namespace clinic::api {

Trust read_trust(const std::filesystem::path& certificate, const std::filesystem::path& authority) {
    constexpr std::size_t bytes_max = 65'536;
    if (authority.empty()) return {};
    const auto page = base::read_text(certificate, bytes_max);
    auto above = base::read_text(authority, bytes_max);
    if (!page || !above || !certificates::is_signed_by(*page, *above)) return {};
    const auto about = certificates::look(*above);
    return about ? Trust{std::move(*above), about->fingerprint} : Trust{};
}

} // namespace clinic::api
