#include "provisioning/ghl_token.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "provisioning/answers.h"
#include "provisioning/setup/box_files.h"
#include "provisioning/typed_secret.h"
#include "systemd/manager.h"

namespace clinic::provisioning {
namespace {

constexpr std::size_t token_bytes_min = 8, token_bytes_max = 4'096;

// A box with a grant uses no token, and one that was not set up would not look for it there.
Result<void> is_wanted(const setup::BoxFiles& files) {
    const auto ghl = files.ghl();
    CLINIC_TRY(ghl);
    if (ghl->contains("oauth"))
        return Error{Errc::refused, "GHL lets this box in by an authorization, and a token is not used",
                     "make it anew: clinicctl ghl authorize"};
    if (!ghl->contains(setup::ghl_token_slot))
        return Error{Errc::refused, "clinic-syncd.json does not say where the token is",
                     "set the box up, which asks for the token: clinicctl setup"};
    return {};
}

Result<crypto::SecureBytes> take_token() {
    auto token = is_typed() ? type_unseen("GHL's private integration token, unseen: ") : read_piped(token_bytes_max);
    const auto is_plain = [](std::byte one) { return one > std::byte{' '} && one <= std::byte{'~'}; };
    if (!token || token->size() < token_bytes_min || token->size() > token_bytes_max ||
        !std::all_of(token->bytes().begin(), token->bytes().end(), is_plain))
        return Error{Errc::malformed, "that is no token, and nothing was changed",
                     "copy it whole, without a space, and type it or pipe it in"};
    return std::move(*token);
}

// Sealed, it would lie beside the file that clinic-syncd reads, and never be used.
bool is_read_elsewhere(const setup::BoxFiles& files, const char* slot, const char* key) {
    const auto named = files.token_elsewhere(slot, key);
    if (!named) return refuse("ghl token", named.error()), true;
    if (named->empty()) return false;
    std::fprintf(stderr,
                 "clinicctl: ghl token: clinic-syncd.json has ghl.%s at %s, and a sealed token does not get there; put "
                 "the token into that file, or have the settings name the unit's credential %s, and do this again\n",
                 slot, named->c_str(), key);
    return true;
}

} // namespace

int store_token(const Call& call, const Client&) {
    constexpr std::array unit{"clinic-syncd.service"};
    if (!keep_memory_private()) return failed;
    const setup::BoxFiles files{call.has("--etc") ? call.value("--etc") : "/etc/clinic-edge"};
    if (const auto wanted = is_wanted(files); !wanted) return refuse("ghl token", wanted.error());
    const bool is_next = call.has("--next");
    const char* name = is_next ? setup::ghl_next_key : setup::ghl_token_key;
    if (is_read_elsewhere(files, is_next ? setup::ghl_next_slot : setup::ghl_token_slot, name)) return failed;
    const auto token = take_token();
    if (!token) return refuse("ghl token", token.error());
    if (const auto sealed = files.keys().put(name, name, token->bytes()); !sealed)
        return refuse("ghl token", sealed.error());
    if (const auto named = is_next ? files.name_next_token() : Result<void>{}; !named)
        return refuse("ghl token", named.error());
    if (!systemd::restart_units({}, unit, {.wait = systemd::unit_start_max})) {
        std::fputs(
            "clinicctl: ghl token: it is sealed, and clinic-syncd was not started anew with it; as root: systemctl "
            "restart clinic-syncd\n",
            stderr);
        return failed;
    }
    std::puts(
        is_next ? "The token is sealed to this machine. It is tried within five minutes, and takes over when GHL knows "
                  "it; until then,\nand where GHL does not, the other one is used."
                : "The token is sealed to this machine, and clinic-syncd has it. Does GHL take it: clinicctl check");
    return 0;
}

} // namespace clinic::provisioning
