// What the setup leaves on the box: the two settings files, the certificates beside them, the sealed keys, and the word
// that lets clinicd make its first store.
//   Files:   below `etc`: clinicd.json and clinic-syncd.json, changed where the setup asked and kept in all the rest,
//            with the owner and mode that they have; tls/ghl-ca.pem, tls/ops-ca.pem, tls/device.pem;
//            keys/clinic-edge.*.
//   Power:   each file is replaced whole. What a cut leaves between two of them the same step puts right when it is
//            done again.
//   Errors:  not_found, malformed (a settings file), locked (a sealed key that does not open here), refused, system.
//   Threads: one; as root.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "crypto/base/result.h"
#include "provisioning/page_trust/sealed_keys.h"
#include "provisioning/setup/answers.h"
#include "provisioning/setup/progress.h"

namespace clinic::setup {

// Sealed under these names, as the unit of clinic-syncd takes them.
inline constexpr const char *ghl_token_key = "clinic-edge.ghl-token", *ghl_next_key = "clinic-edge.ghl-next";
// And the settings of `ghl` in clinic-syncd.json that name their files.
inline constexpr const char *ghl_token_slot = "token_file", *ghl_next_slot = "next_token_file";

class BoxFiles {
public:
    explicit BoxFiles(std::filesystem::path etc) : etc_{std::move(etc)}, keys_{etc_ / "keys"} {}

    // The box's own keys, and the first store's where it never had one; what is there stays. Errors: locked (the
    // records' key is another machine's); refused, not_found: the records, or what opens them, are somewhere else.
    Result<void> make_keys(Progress& progress) const;
    // How the box speaks with GHL now, as clinic-syncd.json has it; an empty object: not at all.
    Result<nlohmann::json> ghl() const;
    Result<std::filesystem::path> ask_socket() const; // where clinic-syncd listens for clinicctl; empty: nowhere
    // Sealed: the token of GHL, and the key of the box's certificate for central operations. Where GHL lets the box in
    // by a grant, no token is: refused where there is neither.
    Result<void> seal_secrets(const Claim& claim) const;
    // What clinic-syncd.json names as `slot` (of `ghl`), where that is another file than the unit's credential `key`:
    // what is sealed does not get there. Empty: it is that credential, or nothing is named.
    Result<std::string> token_elsewhere(const char* slot, const char* key) const;
    // Where clinic-syncd.json does not name a file of the token that will follow, it names the credential of the unit.
    Result<void> name_next_token() const;
    // What the claim says takes the place of what is there; all else stays, in `ghl` and `mqtt` too.
    Result<void> write_settings(const Claim& claim) const;
    // What GHL's location has, into both files: the ids of our custom fields by our names, and the calendars' ids,
    // where no list of calendars is there yet. False: nothing had to be written.
    Result<bool> write_location(const nlohmann::json& fields, const nlohmann::json& calendars) const;
    // The last before the programs start, and taken back where they do not: clinicd may make its first store, where
    // make_keys has written down that it is the first.
    Result<void> allow_first_store(const Progress& progress) const;
    Result<void> take_permission_back() const;
    Result<bool> store_is_there() const; // its files, whatever their state

    const std::filesystem::path& etc() const { return etc_; }
    std::filesystem::path clinicd_settings() const { return etc_ / "clinicd.json"; }
    std::filesystem::path syncd_settings() const { return etc_ / "clinic-syncd.json"; }
    const provisioning::SealedKeys& keys() const { return keys_; }

private:
    Result<std::filesystem::path> records() const;
    Result<bool> had_a_key() const;
    Result<void> make_store_key(Progress& progress) const;
    Result<void> copy(const std::filesystem::path& from, const char* to) const;

    const std::filesystem::path etc_;
    const provisioning::SealedKeys keys_;
};

} // namespace clinic::setup
