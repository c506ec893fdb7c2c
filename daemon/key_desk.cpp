#include "daemon/key_desk.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/base/log.h"
#include "crypto/key_table.h"
#include "crypto/recovery_words.h"
#include "daemon/asked.h"
#include "daemon/audit/trail.h"
#include "daemon/reason.h"

namespace clinic::daemon {
namespace {

using control::Answer;
using control::Question;
using nlohmann::json;

constexpr std::chrono::minutes waits_to_be_typed{30};
constexpr int guesses_free = 3;
constexpr std::chrono::seconds pause_max{60};
constexpr std::int64_t label_characters_max = 32;
constexpr Literal unattended_word = "stays-locked"; // who says it knows that the box waits for a person

// Before what it tells of: no change of a key without its entry.
Result<void> note(records::Store& store, uid_t asker, audit::Action action, Literal what, std::string more = {}) {
    return store.write([&](records::Transaction& txn) -> Result<void> {
        CLINIC_TRY(audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                              .actor_id = asker,
                                              .action = action,
                                              .purpose = audit::Purpose::security,
                                              .detail = what,
                                              .note = std::move(more)}));
        return {};
    });
}

json to_json(const crypto::SlotFacts& slot) {
    return {{"number", slot.number},
            {"kind", crypto::name(slot.kind)},
            {"label", slot.label},
            {"made_at", slot.made_us == 0 ? json{} : json(base::rfc3339({slot.made_us}))},
            {"in_use", slot.in_use}};
}

// The words or the passphrase that came with the question.
Result<crypto::KeySlot> slot_of(const Question& question) {
    if (word(question.args, "kind") != crypto::name(crypto::SlotKind::passphrase))
        return crypto::KeySlot::from_words(question.secret);
    return crypto::KeySlot::from_passphrase(crypto::SecureBytes::copy_of(question.secret.bytes()));
}

Result<std::string> label(const json& args) {
    std::string text = word(args, "label");
    if (std::ssize(text) > label_characters_max ||
        std::any_of(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }))
        return Error{Errc::malformed, "a label has at most 32 plain characters", "say where the paper lies"};
    return text;
}

} // namespace

Result<void> Guesses::may_guess(base::Micros now) const {
    if (now >= next_) return {};
    return Error{Errc::throttled, "after wrong guesses the next one has to wait", "wait a minute, then type it again"};
}

int Guesses::wrong(base::Micros now) {
    ++in_a_row_;
    if (in_a_row_ < guesses_free) return in_a_row_;
    const std::chrono::seconds pause{1 << std::min(in_a_row_ - guesses_free + 1, 6)};
    next_ = now + std::min(pause, pause_max);
    return in_a_row_;
}

KeyDesk::KeyDesk(Ways ways, health::Health& health, const Clock& clock)
    : ways_{std::move(ways)}, health_{health}, clock_{clock} {}

control::Commands KeyDesk::of_open(records::Store& store) {
    const auto ask = [this, &store](Outcome (KeyDesk::*what)(records::Store&, const Question&), bool secret) {
        return control::Command{
            .run = [this, &store, what](const Question& question) { return (this->*what)(store, question); },
            .takes_secret = secret};
    };
    const auto is_open = [](const Question&) -> Outcome {
        return Error{Errc::refused, "the records are open: there is nothing to recover", "see them: clinicctl status"};
    };
    return {{"keys-list", ask(&KeyDesk::list, false)},
            {"keys-recovery-begin", ask(&KeyDesk::begin_recovery, true)},
            {"keys-recovery-confirm", ask(&KeyDesk::confirm_recovery, true)},
            {"keys-passphrase", ask(&KeyDesk::keep_passphrase, true)},
            {"keys-remove", ask(&KeyDesk::remove, false)},
            {"keys-verify", ask(&KeyDesk::verify, true)},
            {"keys-recover", {.run = is_open, .takes_secret = true}}};
}

control::Commands KeyDesk::of_closed() {
    return {{"keys-recover",
             {.run = [this](const Question& question) { return recover(question); }, .takes_secret = true}}};
}

void KeyDesk::opened(records::Store& store) {
    open_ = true;
    const std::scoped_lock lock{desk_};
    const int wrong = guesses_.take_unsaid();
    if (wrong == 0) return;
    if (const auto said = note(store, 0, audit::Action::block, "keys_guessed_wrong", std::to_string(wrong)); !said)
        base::log(base::Level::error, "keys: the wrong guesses are not in the audit chain", said.error());
}

KeyDesk::Outcome KeyDesk::list(records::Store& store, const Question& question) {
    CLINIC_TRY(note(store, question.asker, audit::Action::read, "keys_list"));
    json slots = json::array();
    for (const auto& slot : store.keys().slots()) slots.push_back(to_json(slot));
    return say(std::move(slots));
}

KeyDesk::Outcome KeyDesk::begin_recovery(records::Store& store, const Question& question) {
    const auto why = reason(question.args);
    CLINIC_TRY(why);
    const auto named = label(question.args);
    CLINIC_TRY(named);
    CLINIC_TRY(note(store, question.asker, audit::Action::configure, "keys_recovery_begin", *why));
    const std::scoped_lock lock{desk_};
    pending_ = Pending{crypto::SecureBytes::random(crypto::recovery_secret_bytes), *named, *why, clock_.monotonic()};
    Answer answer = say({{"words", crypto::recovery_words}, {"minutes", waits_to_be_typed.count()}});
    answer.secret = crypto::words_of(pending_->secret);
    return answer;
}

KeyDesk::Outcome KeyDesk::confirm_recovery(records::Store& store, const Question& question) {
    const std::scoped_lock lock{desk_};
    if (pending_ && clock_.monotonic() - pending_->since > waits_to_be_typed) pending_.reset();
    if (!pending_)
        return Error{Errc::not_found, "no recovery key waits to be typed back",
                     "make one, within the last half hour: clinicctl keys recovery begin"};
    const auto typed = crypto::secret_of(question.secret);
    CLINIC_TRY(typed);
    if (!typed->same_as(pending_->secret.bytes()))
        return Error{Errc::refused, "these are not the words that were shown",
                     "type those of the newest paper, or begin anew and throw the old paper away"};
    CLINIC_TRY(note(store, question.asker, audit::Action::configure, "keys_recovery_add", pending_->reason));
    const auto number =
        store.keys().add(crypto::KeySlot::from_recovery_secret(pending_->secret), pending_->label, clock_.now().micros);
    CLINIC_TRY(number);
    pending_.reset();
    base::log(base::Level::notice, "keys", "a recovery key was added");
    return say({{"number", *number}});
}

KeyDesk::Outcome KeyDesk::keep_passphrase(records::Store& store, const Question& question) {
    const auto why = reason(question.args);
    CLINIC_TRY(why);
    const auto slot = crypto::KeySlot::from_passphrase(crypto::SecureBytes::copy_of(question.secret.bytes()));
    CLINIC_TRY(slot);
    CLINIC_TRY(note(store, question.asker, audit::Action::configure, "keys_passphrase", *why));
    const auto number = store.keys().add(*slot, "", clock_.now().micros);
    CLINIC_TRY(number);
    base::log(base::Level::notice, "keys", "a passphrase was set");
    return say({{"number", *number}});
}

KeyDesk::Outcome KeyDesk::remove(records::Store& store, const Question& question) {
    const auto why = reason(question.args);
    CLINIC_TRY(why);
    const auto asked = number(question.args, "number", 0);
    const std::string said = word(question.args, "word");
    if (!said.empty() && said != unattended_word.c_str())
        return Error{Errc::malformed, "that is not the word", "the word is stays-locked, where it is needed"};
    if (asked < 1 || asked > UINT32_MAX)
        return Error{Errc::malformed, "the number is none of a key slot", "see them: clinicctl keys list"};
    const auto unattended = said.empty() ? crypto::Unattended::stays : crypto::Unattended::may_end;
    const auto slot = static_cast<std::uint32_t>(asked);
    CLINIC_TRY(store.keys().may_remove(slot, unattended));
    CLINIC_TRY(
        note(store, question.asker, audit::Action::configure, "keys_remove", std::to_string(asked) + ": " + *why));
    CLINIC_TRY(store.keys().remove(slot, unattended));
    base::log(base::Level::notice, "keys", "a key slot was removed");
    return say({{"removed", asked}});
}

Result<crypto::KeySlot> KeyDesk::guess(const Question& question) {
    const std::scoped_lock lock{desk_};
    CLINIC_TRY(guesses_.may_guess(clock_.monotonic()));
    return slot_of(question);
}

// Counted, slowed, told; in the audit chain now, or when the records open.
void KeyDesk::guessed_wrong(records::Store* store, uid_t asker) {
    int in_a_row = 0;
    {
        const std::scoped_lock lock{desk_};
        in_a_row = guesses_.wrong(clock_.monotonic());
        if (store == nullptr) guesses_.unsaid();
    }
    base::log(base::Level::warning, "keys", "words or a passphrase that do not open the records");
    if (in_a_row % guesses_free == 0) health_.raise("E2018", "warn");
    if (store == nullptr) return;
    if (const auto said = note(*store, asker, audit::Action::block, "keys_guessed_wrong", "1"); !said)
        base::log(base::Level::error, "keys: the wrong guess is not in the audit chain", said.error());
}

KeyDesk::Outcome KeyDesk::verify(records::Store& store, const Question& question) {
    const std::scoped_lock one{trying_};
    const auto slot = guess(question);
    CLINIC_TRY(slot);
    const auto number = store.keys().opened_by(*slot);
    CLINIC_TRY(number);
    if (!*number) {
        guessed_wrong(&store, question.asker);
        return Error{Errc::locked, "no key slot of this store opens with it",
                     "it is another store's, or of a slot that was removed: look for the newest paper"};
    }
    const std::scoped_lock lock{desk_};
    guesses_.right();
    CLINIC_TRY(note(store, question.asker, audit::Action::read, "keys_verify", std::to_string(**number)));
    return say({{"number", **number}});
}

// With the records closed: they are opened with the secret, a slot is made for the machine's key, and they are closed
// again, to be opened as at any start.
KeyDesk::Outcome KeyDesk::recover(const Question& question) {
    const auto why = reason(question.args);
    CLINIC_TRY(why);
    const auto machine = crypto::KeySlot::from_credential_file(ways_.credential);
    if (!machine)
        return Error{Errc::not_found,
                     "clinicd has no key of this machine yet that a slot could be made for",
                     "make one, or give it the one that is there: clinicctl keys recover --new-key",
                     {},
                     machine.error().native};
    if (question.args.value("look", false)) return say(json::object()); // it can be done: now type the words
    const std::scoped_lock one{trying_};
    const auto slot = guess(question);
    CLINIC_TRY(slot);
    std::uint32_t number = 0;
    {
        const std::scoped_lock lock{opening_};
        if (open_) return Error{Errc::refused, "the records are open: there is nothing to recover"};
        auto store = ways_.open(*slot);
        if (!store && store.error().code == Errc::locked) guessed_wrong(nullptr, question.asker);
        CLINIC_TRY(store);
        CLINIC_TRY(note(**store, question.asker, audit::Action::configure, "keys_recover", *why));
        const auto fits = (*store)->keys().opened_by(*machine);
        CLINIC_TRY(fits);
        const auto made =
            *fits ? Result<std::uint32_t>{**fits} : (*store)->keys().add(*machine, "", clock_.now().micros);
        CLINIC_TRY(made);
        number = *made;
    }
    {
        const std::scoped_lock lock{desk_};
        guesses_.right();
    }
    base::log(base::Level::notice, "keys", "a slot was made for this machine's key");
    ways_.try_now();
    return say({{"number", number}});
}

} // namespace clinic::daemon
