// What is asked of clinicctl while the box runs, command by command, so that a new one is not forgotten.
#pragma once

#include <array>
#include <string_view>
#include <vector>

namespace clinic::e2e {

struct Asked {
    std::string_view command; // its first words, as `clinicctl commands` has them
    std::vector<std::string_view> ways;
};

inline std::vector<Asked> asked_of_clinicctl() {
    return {{"status", {"status", "status --json"}},
            {"basis show", {"basis show", "basis show --json"}},
            {"policy unlinked", {"policy unlinked park"}},
            {"policy preview", {"policy preview --basis authorized", "policy preview --json"}},
            {"template show", {"template show", "template show --json"}},
            {"release daily", {"release daily"}},
            {"containment", {"containment", "containment --json"}},
            {"check", {"check", "check --json"}},
            {"bundle", {"bundle --preview"}},
            {"setup", {"setup --status", "setup --status --json"}},
            {"audit verify", {"audit verify"}},
            {"audit list", {"audit list --limit 200", "audit list --limit 200 --json"}},
            {"audit export", {"audit export --after 10"}},
            {"ledger", {"ledger", "ledger --limit 500 --json", "ledger --limit 500 --json --after 500"}},
            {"quarantine list", {"quarantine list --limit 200"}},
            {"quarantine discard", {"quarantine discard --all --feed absent --reason test"}},
            {"messages list", {"messages list --limit 200", "messages list --limit 200 --json"}},
            {"feed list", {"feed list", "feed list --json"}},
            {"feed show", {"feed show pms"}},
            {"feed set", {"feed set pms --expect 60"}},
            {"feed remove", {"feed remove absent"}},
            {"store advise", {"store advise", "store advise --all --json"}},
            {"clock show", {"clock show", "clock show --json"}},
            {"clock confirm", {"clock confirm"}},
            {"drain", {"drain begin --reason test", "drain end --reason test"}},
            {"reload", {"reload --reason test"}},
            {"sync status", {"sync status", "sync status --json"}},
            {"sync dead list", {"sync dead list", "sync dead list --json"}},
            {"sync dead retry", {"sync dead retry --all", "sync dead retry 999999"}},
            {"sync dead discard", {"sync dead discard --all --reason test"}},
            {"commands", {"commands"}},
            {"link list", {"link list", "link list --json"}},
            {"link settle", {"link settle 999999 clinic --reason test"}},
            {"ghl show", {"ghl show", "ghl show --json"}},
            {"ghl authorize", {"ghl authorize"}},
            {"ghl prepare", {"ghl prepare", "ghl prepare --json"}},
            {"keys list", {"keys list", "keys list --json"}},
            {"keys remove", {"keys remove 99 --reason test"}},
            {"tls show", {"tls show", "tls show --json"}},
            {"tls install", {"tls install /absent"}}};
}

// By visits of their own.
inline constexpr std::array<std::string_view, 20> asked_elsewhere{
    "import",        "basis set",    "quarantine show", "quarantine replay", "messages show",
    "feed add",      "store check",  "store inspect",   "store salvage",     "store mend-keys",
    "store restore", "sync compare", "sync repair",     "sync dead show",    "link show",
    "link set",      "link unset",   "link split",      "link merge",        "erase"};

// They make or read keys, certificates and tokens, or what the setup and ops have, and no record.
inline constexpr std::array<std::string_view, 10> not_asked{
    "bundle open", "bundle keygen", "setup verify", "keys recovery", "keys passphrase",
    "keys verify", "keys recover",  "ghl token",    "tls csr",       "tls keep"};

} // namespace clinic::e2e
