// By which addresses the page can be reached in the clinic's network.
#pragma once

#include <string>
#include <vector>

namespace clinic::provisioning {

// Of this machine's interfaces that are up, those that no public network has, loopbacks first; as text, without scopes.
// A link-local address of IPv6 is left out: no browser's line takes its scope.
std::vector<std::string> private_addresses();
bool is_private(const std::string& address); // RFC 1918, 3927, 4193, and this machine itself

} // namespace clinic::provisioning
