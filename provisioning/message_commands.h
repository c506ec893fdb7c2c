// clinicctl's commands for senders, their messages, the quarantine and who looked at them. docs/clinicctl.md.
#pragma once

#include "provisioning/call.h"
#include "provisioning/client.h"

namespace clinic::provisioning {

int list_feeds(const Call& call, const Client& client);
int keep_feed(const Call& call, const Client& client, const char* command); // feed-add, feed-set
int list_audit(const Call& call, const Client& client);
int list_messages(const Call& call, const Client& client);
int show_message(const Call& call, const Client& client, const char* command); // messages-show, quarantine-show
int list_quarantine(const Call& call, const Client& client);
// One item, or turn by turn all that wait. Exit status 1: one of them waits still.
int replay(const Call& call, const Client& client);
int discard(const Call& call, const Client& client);

} // namespace clinic::provisioning
