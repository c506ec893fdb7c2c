#include "daemon/bundle_commands.h"

#include <algorithm>

#include "daemon/asked.h"
#include "daemon/audit/trail.h"
#include "daemon/reason.h"

namespace clinic::daemon {
namespace {

using control::Answer;
using control::Question;

// "3f2a-99c0-1b7e-d004"
bool is_fingerprint(const std::string& text) {
    return text.size() == 19 && text.find_first_not_of("0123456789abcdef-") == std::string::npos;
}

Result<Answer> note_bundle(records::Store& store, const Question& question) {
    const auto why = reason(question.args);
    CLINIC_TRY(why);
    const std::string key = word(question.args, "key");
    if (!is_fingerprint(key)) return Error{Errc::malformed, "not the fingerprint of a key", "use clinicctl bundle"};
    CLINIC_TRY(store.write([&](records::Transaction& txn) -> Result<void> {
        const auto entry = audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                                      .actor_id = question.asker,
                                                      .action = audit::Action::system,
                                                      .purpose = audit::Purpose::support,
                                                      .detail = "support_bundle",
                                                      .note = key + ": " + *why});
        return entry ? Result<void>{} : entry.error();
    }));
    return say({{"noted", true}});
}

} // namespace

control::Command metrics_command(health::Health& health) {
    return {.run = [&health](const Question&) -> Result<Answer> {
        return say({{"text", health::to_metrics(health.status_of_now())}});
    }};
}

control::Commands bundle_commands(records::Store& store) {
    return {{"bundle-made", {.run = [&store](const Question& question) { return note_bundle(store, question); }}}};
}

} // namespace clinic::daemon
