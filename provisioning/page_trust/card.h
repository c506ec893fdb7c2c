// What a person needs to trust the page: its addresses, the fingerprint to compare, and a code for a phone's camera.
//   Threads: any.
#pragma once

#include <string>
#include <vector>

namespace clinic::provisioning {

// The text as a QR code (ISO/IEC 18004, level M) of half blocks, dark on light, with its quiet zone; empty: too long.
std::string qr_code(const std::string& text);

// `https://ADDRESS/trust` of the first address that is not this machine's own, in a frame for a console. The
// fingerprint is empty where the certificate is the clinic's own: then there is nothing to compare.
std::string trust_card(const std::vector<std::string>& names, const std::vector<std::string>& addresses,
                       const std::string& fingerprint);

std::string page_address(const std::string& host, const std::string& path); // an IPv6 address in its brackets

} // namespace clinic::provisioning
