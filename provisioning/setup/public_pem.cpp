#include "provisioning/setup/public_pem.h"

namespace clinic::setup {
namespace {

constexpr std::string_view begin = "-----BEGIN CERTIFICATE-----", end = "-----END CERTIFICATE-----";

} // namespace

Result<std::string> certificates_in(std::string_view pem) {
    if (pem.find("PRIVATE KEY-----") != std::string_view::npos)
        return Error{Errc::refused, "has a private key in it", "give the certificates in a file of their own"};
    std::string blocks;
    for (auto from = pem.find(begin); from != std::string_view::npos; from = pem.find(begin, from)) {
        const auto last = pem.find(end, from);
        if (last == std::string_view::npos) break;
        blocks += std::string{pem.substr(from, last + end.size() - from)} + "\n";
        from = last;
    }
    if (blocks.empty()) return Error{Errc::malformed, "is no certificate in PEM", "give a file with BEGIN CERTIFICATE"};
    return blocks;
}

} // namespace clinic::setup
