#include "provisioning/page_trust/card.h"

#include <qrencode.h>

#include <algorithm>
#include <memory>

#include "crypto/base/owned.h"

namespace clinic::provisioning {
namespace {

constexpr int is_case_sensitive = 1;
constexpr int quiet = 2; // of the four that the standard asks for: a console has few lines, and its ground is dark

bool is_own(const std::string& address) {
    return address.starts_with("127.") || address == "::1";
}

// A whole one is wider than a console of 80 columns.
std::string in_lines(const std::string& fingerprint) {
    constexpr std::size_t half = 48; // characters: 16 pairs with their colons
    if (fingerprint.size() <= half) return "  " + fingerprint + "\n";
    return "  " + fingerprint.substr(0, half) + "\n  " + fingerprint.substr(half) + "\n";
}

} // namespace

std::string qr_code(const std::string& text) {
    const std::unique_ptr<QRcode, base::FreedBy<QRcode_free>> code{
        QRcode_encodeString(text.c_str(), 0, QR_ECLEVEL_L, QR_MODE_8, is_case_sensitive)};
    if (!code) return {};
    const auto is_dark = [&](int x, int y) {
        if (x < 0 || y < 0 || x >= code->width || y >= code->width) return false;
        return (code->data[static_cast<std::size_t>(y * code->width + x)] & 1U) != 0;
    };
    std::string lines;
    for (int y = -quiet; y < code->width + quiet; y += 2) {
        for (int x = -quiet; x < code->width + quiet; ++x) {
            const bool above = !is_dark(x, y), below = !is_dark(x, y + 1); // what is light is drawn
            lines += above && below ? "█" : above ? "▀" : below ? "▄" : " ";
        }
        lines += "\n";
    }
    return lines;
}

std::string page_address(const std::string& host, const std::string& path) {
    return "https://" + (host.find(':') == std::string::npos ? host : "[" + host + "]") + path;
}

std::string trust_card(const std::vector<std::string>& names, const std::vector<std::string>& addresses,
                       const std::string& fingerprint) {
    std::string text = "Clinic Edge: this box's page\n";
    for (const auto& name : names) text += "  " + page_address(name, "/") + "\n";
    for (const auto& address : addresses)
        if (!is_own(address)) text += "  " + page_address(address, "/") + "\n";
    if (fingerprint.empty()) return text;
    const auto reached = std::find_if_not(addresses.begin(), addresses.end(), is_own);
    text += "A browser warns until it trusts this box. Open /trust there, and compare this fingerprint (SHA-256):\n" +
            in_lines(fingerprint);
    if (reached != addresses.end()) text += qr_code(page_address(*reached, "/trust#SHA256:" + fingerprint));
    return text;
}

} // namespace clinic::provisioning
