#include "provisioning/keys_commands.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "crypto/key_slot.h"
#include "crypto/recovery_words.h"
#include "crypto/word_list.h"
#include "provisioning/answers.h"
#include "provisioning/machine_key.h"
#include "provisioning/typed_secret.h"
#include "systemd/manager.h"

namespace clinic::provisioning {
namespace {

using crypto::SecureBytes;
using nlohmann::json;

constexpr int tries_max = 3;
constexpr std::chrono::seconds open_wait_max{30};
constexpr std::chrono::milliseconds open_look{250};

int say_error(const Error& why) {
    std::fprintf(stderr, "clinicctl: keys: %s", why.what.c_str());
    if (why.at.field > 0) std::fprintf(stderr, " (word %d)", why.at.field);
    if (*why.remedy.c_str() != '\0') std::fprintf(stderr, "; %s", why.remedy.c_str());
    std::fputc('\n', stderr);
    return failed;
}

// Before 24 words are typed for nothing.
bool has_reason(const Call& call) {
    const auto size = call.value("--reason").size();
    if (size >= 4 && size <= 200) return true;
    std::fputs("clinicctl: keys: this needs a reason; add --reason TEXT, 4 to 200 characters, which names nobody\n",
               stderr);
    return false;
}

// What is wrong with the words alone needs no question to clinicd, and is no guess.
bool are_sound(const SecureBytes& typed) {
    const auto secret = crypto::secret_of(typed);
    if (!secret) say_error(secret.error());
    return secret.has_value();
}

SecureBytes as_typed(std::string_view text) {
    return SecureBytes::copy_of(std::as_bytes(std::span{text}));
}

bool is_listed(const SecureBytes& typed) {
    SecureBytes word = SecureBytes::copy_of(typed.bytes());
    for (std::byte& letter : word.bytes())
        if (letter >= std::byte{'A'} && letter <= std::byte{'Z'}) letter |= std::byte{0x20};
    const std::string_view text{reinterpret_cast<const char*>(word.bytes().data()), word.size()};
    return crypto::index_of_word(text).has_value();
}

SecureBytes joined(const SecureBytes& before, const SecureBytes& word) {
    SecureBytes all = SecureBytes::zeroed(before.size() + word.size() + 1);
    std::ranges::copy(before.bytes(), all.bytes().begin());
    std::ranges::copy(word.bytes(), all.bytes().begin() + static_cast<std::ptrdiff_t>(before.size()));
    all.bytes().back() = std::byte{' '};
    return all;
}

// The words, or the passphrase, as the call has it.
std::optional<SecureBytes> typed_secret(const Call& call) {
    if (call.has("--passphrase")) return type_passphrase(false);
    auto typed = type_words();
    return typed && are_sound(*typed) ? std::move(typed) : std::nullopt;
}

const char* kind_of(const Call& call) {
    return call.has("--passphrase") ? "passphrase" : "recovery";
}

std::optional<std::int64_t> number_in(const std::optional<json>& answer) {
    return answer ? std::optional{(*answer)["data"].value("number", std::int64_t{0})} : std::nullopt;
}

std::optional<std::int64_t> ask_for_number(const Client& client, const char* command, const json& args,
                                           const SecureBytes& secret) {
    auto told = client.ask_secretly(command, args, secret);
    return number_in(told ? std::optional{std::move(told->answer)} : std::nullopt);
}

std::string view_keys(const json& slots) {
    std::string text = "SLOT  KIND        MADE                  LABEL\n";
    for (const json& slot : slots) {
        const auto word = [&](const char* key) {
            return slot.at(key).is_string() ? slot.at(key).get<std::string>() : std::string{"not known"};
        };
        std::string line = std::to_string(slot.at("number").get<std::int64_t>());
        for (const auto& [column, next] :
             {std::pair<std::size_t, std::string>{6, word("kind")}, {18, word("made_at")}, {40, word("label")}}) {
            line.resize(std::max(column, line.size()), ' ');
            line += next;
        }
        if (slot.at("in_use").get<bool>()) line += line.back() == ' ' ? "in use" : ", in use";
        text += line.erase(line.find_last_not_of(' ') + 1) + "\n";
    }
    return text;
}

bool has_kind(const json& slots, std::string_view kind) {
    return std::any_of(slots.begin(), slots.end(), [&](const json& slot) { return slot.at("kind") == kind; });
}

int confirm_typed(const Client& client) {
    for (int tries = 0; tries < (is_typed() ? tries_max : 1); ++tries) {
        const auto typed = type_words();
        if (!typed) break;
        if (!are_sound(*typed)) continue;
        const auto number = confirm_recovery(client, *typed);
        if (!number) continue;
        std::printf("The words open the records now: key slot %lld.\n", static_cast<long long>(*number));
        return 0;
    }
    std::fputs("clinicctl: keys: nothing was changed; within half an hour: clinicctl keys recovery confirm\n", stderr);
    return failed;
}

// nullopt: clinicd does not answer, which is said.
std::optional<bool> are_open(const Client& client) {
    const auto status = client.ask("status", json::object());
    if (!status) return std::nullopt;
    const std::string mode = (*status)["data"].value("mode", std::string{});
    return mode != "locked" && mode != "damaged" && mode != "restoring";
}

// Keys are given to a unit at its start, and this waits until clinicd answers again.
bool restart_clinicd() {
    constexpr std::array unit{"clinicd.service"};
    if (systemd::restart_units({}, unit, {.wait = systemd::unit_start_max})) return true;
    std::fputs("clinicctl: keys: clinicd was not restarted, and has no key of this machine before it is; see: "
               "systemctl status clinicd; then the same command again\n",
               stderr);
    return false;
}

// This machine has a key, and clinicd has it: a new one, or the one that is there where it opens, which clinicd was
// not given (a TPM that was slow at the start; a restart that did not come). Never while the records are open: the
// key that no longer opens is the one of their slot.
bool give_machine_key(const Call& call, const Client& client) {
    const auto open = are_open(client);
    if (!open) return false;
    if (*open) {
        std::fputs("clinicctl: keys: the records are open: there is nothing to recover, and no key was made; see: "
                   "clinicctl status\n",
                   stderr);
        return false;
    }
    const bool elsewhere = call.has("--etc");
    const auto made = make_machine_key(elsewhere ? call.value("--etc") : "/etc/clinic-edge");
    if (!made && made.error().code != Errc::refused) {
        say_error(made.error());
        return false;
    }
    return elsewhere || restart_clinicd();
}

// Until the records are open; clinicd tries at once.
int wait_until_open(const Client& client) {
    const auto until = std::chrono::steady_clock::now() + open_wait_max;
    for (;;) {
        if (are_open(client).value_or(false)) {
            std::puts("The records are open.");
            return 0;
        }
        if (std::chrono::steady_clock::now() > until) break;
        std::this_thread::sleep_for(open_look); // clinicd is asked over its socket, which tells nobody of a change
    }
    std::fputs("clinicctl: keys: the slot is made and the records are not open yet; see: clinicctl status\n", stderr);
    return 1;
}

} // namespace

std::optional<std::vector<StoreKey>> list_store_keys(const Client& client) {
    const auto answer = client.ask("keys-list", json::object());
    if (!answer) return std::nullopt;
    std::vector<StoreKey> keys;
    for (const json& slot : (*answer)["data"])
        keys.push_back({.number = slot.at("number").get<std::int64_t>(),
                        .kind = slot.at("kind").get<std::string>(),
                        .label = slot.at("label").get<std::string>(),
                        .made_at = slot.at("made_at").is_string() ? slot.at("made_at").get<std::string>() : "",
                        .in_use = slot.at("in_use").get<bool>()});
    return keys;
}

std::optional<SecureBytes> begin_recovery(const Client& client, const std::string& label, const std::string& reason) {
    if (!keep_memory_private()) return std::nullopt;
    auto told = client.ask_secretly("keys-recovery-begin", {{"label", label}, {"reason", reason}}, {});
    return told ? std::optional{std::move(told->secret)} : std::nullopt;
}

std::optional<std::int64_t> confirm_recovery(const Client& client, const SecureBytes& typed) {
    return ask_for_number(client, "keys-recovery-confirm", json::object(), typed);
}

std::optional<std::int64_t> set_passphrase(const Client& client, const SecureBytes& passphrase,
                                           const std::string& reason) {
    return ask_for_number(client, "keys-passphrase", {{"reason", reason}}, passphrase);
}

void show_words(const SecureBytes& words) {
    put_out(word_grid(words));
    if (!is_typed() || isatty(STDOUT_FILENO) != 1) return;
    static_cast<void>(type_unseen("\nWrite them down, with their numbers. Then press Enter: they leave the screen."));
    put_out(as_typed("\x1b[H\x1b[2J\x1b[3J"));
}

std::optional<SecureBytes> type_words() {
    if (!keep_memory_private()) return std::nullopt;
    if (!is_typed()) return read_piped(crypto::typed_bytes_max);
    const UnseenTerminal between; // what is typed ahead is not shown either
    SecureBytes all;
    for (std::size_t i = 1; i <= crypto::recovery_words;) {
        const auto word = type_unseen(("Word " + std::to_string(i) + " of 24, unseen: ").c_str());
        if (!word) return std::nullopt;
        if (is_listed(*word)) {
            all = joined(all, *word);
            ++i;
        } else {
            std::fputs("That is no word of the list. Its first four letters are enough; type it again.\n", stderr);
        }
    }
    return all;
}

std::optional<SecureBytes> type_passphrase(bool is_new) {
    if (!keep_memory_private()) return std::nullopt;
    if (!is_typed()) return read_piped(crypto::passphrase_bytes_max);
    const UnseenTerminal between;
    auto typed = type_unseen("Passphrase, unseen: ");
    if (!typed || !is_new) return typed;
    const auto again = type_unseen("The same once more: ");
    if (again && again->same_as(typed->bytes())) return typed;
    std::fputs("clinicctl: keys: the two are not the same; begin again\n", stderr);
    return std::nullopt;
}

int list_keys(const Call& call, const Client& client) {
    const auto answer = client.ask("keys-list", json::object());
    if (!answer) return failed;
    const json& slots = (*answer)["data"];
    show(call, slots, view_keys);
    if (has_kind(slots, "recovery")) return 0;
    std::fputs("No recovery key: whoever loses this machine loses the records. Make one:\n"
               "  clinicctl keys recovery begin --reason TEXT\n",
               stderr);
    return 1;
}

int begin_recovery(const Call& call, const Client& client) {
    if (!has_reason(call)) return failed;
    const auto words = begin_recovery(client, call.value("--label"), call.value("--reason"));
    if (!words) return failed;
    if (call.has("--json")) {
        put_out(as_typed("{\"v\":1,\"words\":\""));
        put_out(*words);
        put_out(as_typed("\"}\n"));
    } else {
        std::fputs("These 24 words open the records, on any machine. They are shown this once.\n\n", stderr);
        show_words(*words);
    }
    if (is_typed() && !call.has("--json")) {
        std::fputs("Now type them back from the paper: only then they count.\n", stderr);
        return confirm_typed(client);
    }
    std::fputs("They count when they were typed back, within half an hour: clinicctl keys recovery confirm\n", stderr);
    return 0;
}

int confirm_recovery(const Call&, const Client& client) {
    return confirm_typed(client);
}

int keep_passphrase(const Call& call, const Client& client) {
    if (!has_reason(call)) return failed;
    auto typed = type_passphrase(true);
    if (!typed) return failed;
    const auto slot = crypto::KeySlot::from_passphrase(SecureBytes::copy_of(typed->bytes()));
    if (!slot) return say_error(slot.error());
    const auto number = set_passphrase(client, *typed, call.value("--reason"));
    if (!number) return failed;
    std::printf("The passphrase opens the records now: key slot %lld.\n", static_cast<long long>(*number));
    return 0;
}

int remove_key(const Call& call, const Client& client) {
    std::int64_t number = 0;
    const std::string& word = call.words[2];
    const auto [end, wrong] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (wrong != std::errc{} || end != word.data() + word.size()) {
        std::fputs("clinicctl: keys remove: the number is one of `clinicctl keys list`\n", stderr);
        return failed;
    }
    if (!has_reason(call)) return failed;
    json args{{"number", number}, {"reason", call.value("--reason")}};
    if (call.has("--word")) args["word"] = call.value("--word");
    if (!client.ask("keys-remove", args)) return failed;
    std::printf("Key slot %lld is removed. Destroy its paper.\n", static_cast<long long>(number));
    return 0;
}

int verify_key(const Call& call, const Client& client) {
    const auto typed = typed_secret(call);
    if (!typed) return failed;
    const auto number = ask_for_number(client, "keys-verify", {{"kind", kind_of(call)}}, *typed);
    if (!number) return failed;
    std::printf("It opens the records: key slot %lld.\n", static_cast<long long>(*number));
    return 0;
}

int recover_store(const Call& call, const Client& client) {
    if (!has_reason(call)) return failed;
    if (call.has("--new-key") && !give_machine_key(call, client)) return failed;
    json args{{"kind", kind_of(call)}, {"reason", call.value("--reason")}, {"look", true}};
    if (!client.ask_secretly("keys-recover", args, {})) return failed;
    args.erase("look");
    const auto typed = typed_secret(call);
    if (!typed) return failed;
    const auto number = ask_for_number(client, "keys-recover", args, *typed);
    if (!number) return failed;
    std::printf("This machine opens the records by itself from now on: key slot %lld.\n",
                static_cast<long long>(*number));
    return wait_until_open(client);
}

} // namespace clinic::provisioning
