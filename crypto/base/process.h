// What both programs of the box take from themselves at start, whoever started them.
//   Threads: before the first one; name_this_thread is each one's own.
#pragma once

#include <signal.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "crypto/base/result.h"

namespace clinic::base {

// Descriptors from `first` on that a starter left open: closed, so that only declared ones are there. Standard input is
// /dev/null from then on.
void close_inherited(unsigned first);

// Blocked in this thread and in all that it starts, so that only who waits for them sees them; what they are is the
// answer. A broken pipe is an error of the write, and no signal. Before the first thread.
sigset_t block_signals(std::initializer_list<int> signals);

// No core file, no pipe to a core handler, and no other process of this user that may look into our memory.
Result<void> close_dumps();

// No capability can ever come back. Before a change of user: it needs one itself, and without any there is no need.
void bound_capabilities();

// None is left, and none is to be had from a program file.
Result<void> drop_capabilities();

// As ps and top show it; at most 15 letters.
void name_this_thread(Literal name);

// "Seccomp:\t2" of the text of a /proc/…/status; -1 where it is not there.
long status_value(const std::string& status, std::string_view key, int number_base);

} // namespace clinic::base
