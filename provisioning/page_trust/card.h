// What a person needs to trust the page: its addresses, the fingerprint to compare, and a code for a phone's camera.
//   Threads: any.
#pragma once

#include <string>
#include <vector>

namespace clinic::provisioning {

// The text as a QR code (ISO/IEC 18004) of half blocks, dark on light, with its quiet zone; empty: too long. Level L: a
// screen has no stains, and the code must fit into a console's 25 lines.
std::string qr_code(const std::string& text);

// For a console. The code is `https://ADDRESS/trust#SHA256:FINGERPRINT`, of the first address that is not this
// machine's own: a camera opens it, and what stands after the # is this screen's word, which no network can change. The
// fingerprint is empty where the certificate is the clinic's own: then there is nothing to compare.
std::string trust_card(const std::vector<std::string>& names, const std::vector<std::string>& addresses,
                       const std::string& fingerprint);

std::string page_address(const std::string& host, const std::string& path); // an IPv6 address in its brackets

} // namespace clinic::provisioning
