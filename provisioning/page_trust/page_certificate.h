// The certificate of the page, as it lies on the box: made by the box's own authority until the clinic brings one.
//   Files:   below `etc`: the page's where clinicd.json says, else tls/console.pem; tls/local-ca.pem, the box's own
//   authority; keys/clinic-edge.console,
//            keys/local-ca, and keys/next.console, the key of a request that is not answered yet (sealed, all three).
//   Power:   each file is replaced whole, and what two of them need of each other is mended by the next `keep`.
//   Threads: one; as root.
//   Source:  issue 6, item 5; docs/keys.md.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/owned.h"
#include "crypto/certificates/certificates.h"
#include "provisioning/page_trust/sealed_keys.h"

namespace clinic::provisioning {

using certificates::Names;
using certificates::Seconds;

enum class Kept : std::uint8_t {
    stays,   // nothing to do
    own,     // the clinic's own is there: it is never touched
    issued,  // by the box's own authority, anew
    trusted, // the same, and by a new authority: whoever trusted the old one must trust this one
    taken,   // an installation that a power cut had left half done
};

struct Standing {
    bool is_there = false, is_own = false, fits_key = false;
    std::optional<certificates::About> page;
    std::string authority_fingerprint; // empty: there is none
    bool request_waits = false;        // a key was made for a request, and no certificate came yet
};

class PageCertificate {
public:
    explicit PageCertificate(std::filesystem::path etc) : etc_{std::move(etc)}, keys_{etc_ / "keys"} {}

    // Names of the page by clinicd's settings, and the given addresses that are private. Errors: malformed, not_found.
    Result<Names> names(const std::vector<std::string>& addresses) const;

    // Sees to it that the page has a certificate that names it, for a third of its life at least.
    Result<Kept> keep(const Names& names, Seconds now) const;
    // A request (PEM) by a new key, which waits for its certificate; asked again, it is the same key.
    Result<std::string> ask(const Names& names) const;
    // The answer to it: a PEM chain, the page's first. Also a renewal for the key that is there.
    Result<void> install(std::string_view chain, const Names& names, Seconds now) const;
    Result<Standing> look() const;

private:
    Result<nlohmann::json> settings() const; // clinicd's
    std::filesystem::path page_file() const;
    std::filesystem::path authority_file() const { return etc_ / "tls" / "local-ca.pem"; }
    Result<std::string> text(const std::filesystem::path& file) const; // empty: not there
    Result<std::optional<certificates::Key>> key(const std::string& file, const std::string& name) const;
    Result<certificates::Key> key_or_new(const std::string& file, const std::string& name) const;
    Result<void> write(const std::filesystem::path& file, std::string_view pem) const;
    Result<base::UniqueFd> alone() const;
    Result<bool> finish_installation(std::string_view page) const;
    Result<void> clock_is_possible(Seconds now) const;
    Result<Kept> issue(const Names& names, Seconds now) const;
    Result<std::optional<std::string>> issue_by_known(const Names& names, const certificates::Key& page_key,
                                                      Seconds now) const;

    const std::filesystem::path etc_;
    const SealedKeys keys_;
};

} // namespace clinic::provisioning
