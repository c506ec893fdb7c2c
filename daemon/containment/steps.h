// The steps of `enter`, one by one: a test leaves one out and sees that the report names it.
//   Threads: before the first thread.
#pragma once

#include <filesystem>

#include "daemon/containment/containment.h"

namespace clinic::containment {

// As root its own namespace; otherwise through a user namespace, in which we stay who we are. Where both are refused
// and the network is not empty already, that is no error: the report says so.
void leave_network();
// Landlock: from here on nothing outside `folder` can be written, made or removed. A kernel without it is no error.
void keep_writes_in(const std::filesystem::path& folder);
Result<void> become(const User& user);

} // namespace clinic::containment
