// Step 4: what opens the records when this machine is gone: words on paper, typed back, and a passphrase if wanted.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "crypto/secret_file.h"
#include "provisioning/keys_commands.h"
#include "provisioning/setup/words_file.h"
#include "provisioning/setup_steps.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

constexpr const char *label = "setup", *reason = "the setup of this box";
constexpr std::size_t file_bytes_max = 4'096;
constexpr unsigned owner_alone = 0600;

bool has(const std::vector<StoreKey>& slots, std::string_view kind) {
    return std::any_of(slots.begin(), slots.end(), [&](const StoreKey& one) { return one.kind == kind; });
}

// Words, or a passphrase.
std::optional<crypto::SecureBytes> read_typed(const std::filesystem::path& file) {
    const auto typed = crypto::read_secret_file(file, file_bytes_max);
    if (!typed) return std::nullopt;
    std::span<const std::byte> text = typed->bytes();
    while (!text.empty() && (text.back() == std::byte{'\n'} || text.back() == std::byte{'\r'}))
        text = text.first(text.size() - 1); // as an editor leaves it
    return crypto::SecureBytes::copy_of(text);
}

// Nothing lies there, or words of this setup's own that a cut left without a slot, and that are taken away before the
// mark is of others.
bool make_room(const SetupDesk& desk, const std::filesystem::path& file) {
    const auto wrong = setup::wrong_with_words_file(file, desk.progress.noted(setup::words_mark));
    if (!wrong.empty())
        return desk.talk.stop("the file for the recovery words " + wrong, "then go on with: clinicctl setup"), false;
    if (base::remove_durable(file)) return true;
    return desk.talk.stop("the recovery words of before cannot be taken out of their file", "see its folder"), false;
}

bool lay_words(const SetupDesk& desk, const std::filesystem::path& file) {
    if (!make_room(desk, file)) return false;
    const auto words = begin_recovery(desk.client, label, reason);
    if (!words) return desk.talk.stop("no recovery words were made", "see above"), false;
    const auto noted = desk.progress.note(setup::words_mark, setup::mark_of(words->bytes()));
    if (!noted) return desk.talk.stop(noted.error()), false;
    if (base::write_durable(file, words->bytes(), owner_alone)) return true;
    return desk.talk.stop("the recovery words could not be written to their file", "see its folder"), false;
}

// Written before the slot is: a cut leaves words without a slot, and never a slot without its words. A clinicd that was
// started anew meanwhile, as a setup that was cut had asked, knows of no words: it makes others, once.
bool write_words(const SetupDesk& desk, const std::filesystem::path& file) {
    for (const bool last : {false, true}) {
        if (!lay_words(desk, file)) return false;
        const auto back = read_typed(file);
        if (back && confirm_recovery(desk.client, *back)) break;
        if (last)
            return desk.talk.stop("the recovery words in their file are not what was made", "see its folder"), false;
    }
    desk.talk.say("The recovery words are in " + file.string() + ". Take that file off this machine.");
    return true;
}

bool print_words(const SetupDesk& desk) {
    desk.talk.say(
        "Have paper and a pen. Twenty-four words will be shown once. Whoever has them can open the records, and "
        "nobody can without them when this machine is gone: keep the paper where the clinic keeps what must not "
        "burn.");
    const auto words = begin_recovery(desk.client, label, reason);
    if (!words) return desk.talk.stop("no recovery words were made", "see above"), false;
    show_words(*words);
    for (;;) {
        desk.talk.say("Now type them from the paper.");
        const auto typed = type_words();
        if (!typed) return desk.talk.stop("the input ended before the words were typed back", ""), false;
        if (confirm_recovery(desk.client, *typed)) return true;
        const auto again = desk.talk.agrees("They do not fit. Type them again?");
        if (!again.value_or(false))
            return desk.talk.stop("the recovery words were not typed back", "new ones are made next time"), false;
    }
}

bool keep_recovery(const SetupDesk& desk, const std::vector<StoreKey>& slots) {
    if (has(slots, "recovery")) {
        desk.talk.say("A recovery key is there already: clinicctl keys list.");
        return true;
    }
    if (desk.answers == nullptr) return print_words(desk);
    if (desk.answers->keys.words_file) return write_words(desk, *desk.answers->keys.words_file);
    desk.talk.say("No recovery key is made, as the answers say. When this machine is gone, so are the records.");
    return true;
}

bool keep_phrase(const SetupDesk& desk) {
    std::optional<crypto::SecureBytes> phrase;
    if (desk.answers != nullptr) {
        if (!desk.answers->keys.passphrase_file) return true;
        phrase = read_typed(*desk.answers->keys.passphrase_file);
    } else {
        const auto wanted = desk.talk.agrees("A passphrase besides?");
        if (!wanted) return desk.talk.stop("the input ended", ""), false;
        if (!*wanted) return true;
        phrase = type_passphrase(true);
    }
    if (!phrase) return desk.talk.stop("there is no passphrase", "give one of 12 letters or more"), false;
    if (!set_passphrase(desk.client, *phrase, reason))
        return desk.talk.stop("the passphrase was not taken", "see above what is wrong with it"), false;
    return true;
}

} // namespace

StepFacts keep_keys(const SetupDesk& desk) {
    const auto slots = list_store_keys(desk.client);
    if (!slots) return desk.talk.stop("the keys of the records cannot be listed", "see above"), std::nullopt;
    if (!keep_recovery(desk, *slots) || !keep_phrase(desk)) return std::nullopt;
    const auto kept = list_store_keys(desk.client);
    if (!kept) return desk.talk.stop("the keys of the records cannot be listed", "see above"), std::nullopt;
    json all = json::array();
    for (const auto& one : *kept) {
        desk.talk.fact("A " + one.kind + " key", one.label.empty() ? "is there" : one.label);
        all.push_back({{"kind", one.kind}, {"label", one.label}, {"made_at", one.made_at}});
    }
    json facts{{"slots", std::move(all)}};
    const auto sealed = desk.files.keys().sealed_to("clinic-edge.store");
    if (!sealed && sealed.error().code == Errc::not_found) return facts; // a plain file: docs/package.md, Keys
    if (!sealed) return desk.talk.stop(sealed.error()), std::nullopt;
    const bool by_tpm = *sealed == SealedTo::tpm;
    desk.talk.fact("The machine's key",
                   by_tpm ? "sealed to its TPM and its host key" : "sealed to its host key alone: no TPM of it seals");
    facts["sealed_to"] = by_tpm ? "tpm2" : "host";
    return facts;
}

} // namespace clinic::provisioning
