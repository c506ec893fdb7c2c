#include "daemon/change_desk.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "crypto/base/log.h"
#include "daemon/asked.h"
#include "daemon/audit/trail.h"
#include "daemon/reason.h"

namespace clinic::daemon {
namespace {

using control::Answer;
using control::Question;

Result<void> append(records::Transaction& txn, uid_t who, Literal what, std::string more) {
    CLINIC_TRY(audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                          .actor_id = who,
                                          .action = audit::Action::configure,
                                          .purpose = audit::Purpose::operations,
                                          .detail = what,
                                          .note = std::move(more)}));
    return {};
}

} // namespace

Result<void> ChangeDesk::note(Change change) {
    const std::scoped_lock lock{mutex_};
    if (store_ != nullptr)
        return store_->write(
            [&](records::Transaction& txn) { return append(txn, change.who, change.what, change.reason); });
    if (waiting_.size() >= waiting_max)
        return Error{Errc::full, "too many changes were made while the records were closed",
                     "see why they are, and what to do: clinicctl status"};
    waiting_.push_back(std::move(change));
    return {};
}

Result<void> ChangeDesk::drain(uid_t who, bool begin, const std::string& reason) {
    CLINIC_TRY(note({who, begin ? Literal{"drain_begin"} : Literal{"drain_end"}, reason, clock_.now()}));
    box_.health.drain(begin);
    return {};
}

Result<std::vector<std::string>> ChangeDesk::reload(uid_t who, const std::string& reason) {
    const auto read = read_options(box_.settings);
    if (!read)
        return Error{Errc::malformed, "the settings cannot be used, and nothing has changed",
                     "see what is wrong with them: journalctl -u clinicd"};
    CLINIC_TRY(note({who, "settings_reload", reason, clock_.now()}));
    CLINIC_TRY(box_.feeds.relist(read->mllp_allow));
    base::log(base::Level::notice, "clinicd", "the settings were read anew");
    return wait_for_restart(box_.options, *read);
}

control::Commands ChangeDesk::commands() {
    const auto drained = [this](const Question& question) -> Result<Answer> {
        const auto why = reason(question.args);
        CLINIC_TRY(why);
        const std::string what = word(question.args, "what");
        if (what != "begin" && what != "end")
            return Error{Errc::malformed, "a drain can begin or end", "clinicctl drain begin, or clinicctl drain end"};
        CLINIC_TRY(drain(question.asker, what == "begin", *why));
        return say({{"drain", what}});
    };
    const auto reloaded = [this](const Question& question) -> Result<Answer> {
        const auto why = reason(question.args);
        CLINIC_TRY(why);
        const auto waiting = reload(question.asker, *why);
        CLINIC_TRY(waiting);
        return say({{"wait_for_restart", *waiting}}, waiting->empty() ? 0 : 1);
    };
    return {{"drain", {.run = drained}}, {"reload", {.run = reloaded}}};
}

void ChangeDesk::opened(records::Store& store) {
    const std::scoped_lock lock{mutex_};
    store_ = &store;
    if (waiting_.empty()) return;
    const auto said = store.write([this](records::Transaction& txn) -> Result<void> {
        for (const auto& one : waiting_)
            CLINIC_TRY(append(txn, one.who, one.what,
                              "at " + base::rfc3339(one.at) + (one.reason.empty() ? "" : ": " + one.reason)));
        return {};
    });
    if (said)
        waiting_.clear();
    else // they wait for the next time
        base::log(base::Level::error, "clinicd: changes are not in the audit chain yet", said.error());
}

void ChangeDesk::closed() {
    const std::scoped_lock lock{mutex_};
    store_ = nullptr;
}

} // namespace clinic::daemon
