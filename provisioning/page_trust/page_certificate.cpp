#include "provisioning/page_trust/page_certificate.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "provisioning/page_trust/addresses.h"

namespace clinic::provisioning {
namespace {

using certificates::Key;
using nlohmann::json;

constexpr std::size_t file_bytes_max = 65'536;
constexpr int settings_depth_max = 16;
constexpr unsigned for_everybody = 0644;
constexpr std::size_t addresses_max = 16; // in one certificate, of now and of before
constexpr std::string_view usual_folder = "/etc/clinic-edge/";
constexpr const char* always = "clinic-edge.local"; // by mDNS

// Names under which systemd-creds seals; the first is what the unit of clinicd takes.
constexpr const char *page_key = "clinic-edge.console", *next_key = "next.console", *authority_key = "local-ca";

// An address that goes and comes back is named already, so that no certificate is made and nothing starts anew for it.
Names with_those_before(Names names, const Names& before) {
    for (const auto& address : before.addresses) {
        if (names.addresses.size() >= addresses_max) break;
        if (std::find(names.addresses.begin(), names.addresses.end(), address) == names.addresses.end())
            names.addresses.push_back(address);
    }
    return names;
}

} // namespace

Result<json> PageCertificate::settings() const {
    const auto text = base::read_text(etc_ / "clinicd.json", file_bytes_max);
    if (!text) return text.error();
    auto parsed = base::parse_json(*text, file_bytes_max, settings_depth_max);
    if (!parsed || !parsed->is_object())
        return Error{Errc::malformed, "clinicd.json is no JSON object", "look at: journalctl -u clinicd"};
    return parsed;
}

// Where clinicd reads it. What its settings have in the usual folder is in ours.
std::filesystem::path PageCertificate::page_file() const {
    const auto all = settings();
    const json console = all ? all->value("console", json::object()) : json::object();
    const auto said = console.is_object() ? console.value("certificate", json{}) : json{};
    if (!said.is_string() || !said.get_ref<const std::string&>().starts_with('/')) return etc_ / "tls" / "console.pem";
    const std::filesystem::path file = said.get<std::string>();
    return file.string().starts_with(usual_folder) ? etc_ / file.string().substr(usual_folder.size()) : file;
}

Result<Names> PageCertificate::names(const std::vector<std::string>& addresses) const {
    const auto all = settings();
    if (!all) return all.error();
    Names found;
    const json console = all->value("console", json::object());
    for (const json& name : console.value("names", json::array()))
        if (name.is_string()) found.dns.push_back(name.get<std::string>());
    found.dns.emplace_back(always);
    for (const auto& address : addresses)
        if (is_private(address)) found.addresses.push_back(address);
    return certificates::tidy(std::move(found));
}

Result<std::string> PageCertificate::text(const std::filesystem::path& file) const {
    auto read = base::read_text(file, file_bytes_max);
    if (!read && read.error().code == Errc::not_found) return std::string{};
    return read;
}

Result<std::optional<Key>> PageCertificate::key(const std::string& file, const std::string& name) const {
    const auto secret = keys_.get(file, name);
    if (!secret) return secret.error();
    if (!*secret) return std::optional<Key>{};
    auto read = Key::read((*secret)->bytes());
    if (!read) return read.error();
    return std::optional{std::move(*read)};
}

Result<Key> PageCertificate::key_or_new(const std::string& file, const std::string& name) const {
    auto known = key(file, name);
    CLINIC_TRY(known);
    if (*known) return std::move(**known);
    auto made = Key::make();
    CLINIC_TRY(made);
    const auto pem = made->pem();
    CLINIC_TRY(pem);
    CLINIC_TRY(keys_.put(file, name, pem->bytes()));
    return made;
}

Result<void> PageCertificate::write(const std::filesystem::path& file, std::string_view pem) const {
    return base::write_durable(file, base::as_bytes(pem), for_everybody);
}

// The certificate is written before its key gets its name: a cut in between leaves a page that only the waiting key
// fits.
Result<bool> PageCertificate::finish_installation(std::string_view page) const {
    const auto waiting = key(next_key, page_key);
    if (!waiting && waiting.error().code == Errc::locked) return false; // another machine's: nothing waits for it here
    CLINIC_TRY(waiting);
    if (!*waiting || page.empty() || !certificates::is_for(page, **waiting)) return false;
    CLINIC_TRY(keys_.rename(next_key, page_key));
    return true;
}

// The timer's renewal and what a person does write the same files. Ends with what is returned.
Result<base::UniqueFd> PageCertificate::alone() const {
    base::UniqueFd folder{open((etc_ / "keys").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder || flock(folder.get(), LOCK_EX) != 0)
        return base::file_error("the keys' folder cannot be locked", errno);
    return folder;
}

Result<Kept> PageCertificate::keep(const Names& names, Seconds now) const {
    const auto turn = alone();
    CLINIC_TRY(turn);
    const auto page = text(page_file());
    CLINIC_TRY(page);
    const auto finished = finish_installation(*page);
    CLINIC_TRY(finished);
    if (*finished) return Kept::taken;
    const auto authority = text(authority_file());
    CLINIC_TRY(authority);
    if (!page->empty() && !certificates::is_signed_by(*page, *authority)) return Kept::own;
    const auto known = key(page_key, page_key);
    if (known && *known && certificates::is_for(*page, **known) &&
        certificates::is_trusted_by(*page, *authority, now)) {
        const auto about = certificates::look(*page);
        if (about && about->until - now > certificates::page_lasts / 3)
            return about->names.holds(names) ? Kept::stays : issue(with_those_before(names, about->names), now);
    }
    return issue(names, now);
}

// By the authority that is there, where what it signs is trusted: it may be of another time, or for other names.
Result<std::optional<std::string>> PageCertificate::issue_by_known(const Names& names, const Key& page_key_now,
                                                                   Seconds now) const {
    const auto authority = text(authority_file());
    CLINIC_TRY(authority);
    const auto known = key(authority_key, authority_key);
    const bool is_anothers = !known && known.error().code == Errc::locked;
    if (!known && !is_anothers) return known.error(); // what passes by itself makes nobody trust another authority
    if (authority->empty() || is_anothers || !*known) return std::optional<std::string>{};
    auto page = certificates::issue(*authority, **known, page_key_now, names, now);
    if (!page || !certificates::is_trusted_by(*page, *authority, now)) return std::optional<std::string>{};
    return std::optional{std::move(*page)};
}

// A clock that lies before the authority's beginning is no reason to make people trust another one.
Result<void> PageCertificate::clock_is_possible(Seconds now) const {
    const auto authority = text(authority_file());
    CLINIC_TRY(authority);
    const auto about = certificates::look(*authority);
    if (about && about->from > now)
        return Error{Errc::refused, "the clock is before the time at which the box made its own authority",
                     "see that the box's date is right; if it is, take tls/local-ca.pem and tls/console.pem away: the "
                     "next quarter of an hour makes them anew"};
    return {};
}

Result<Kept> PageCertificate::issue(const Names& names, Seconds now) const {
    CLINIC_TRY(clock_is_possible(now));
    auto mine = key_or_new(page_key, page_key);
    if (!mine && mine.error().code == Errc::locked) { // another machine's: a page needs one, and this one nobody else
        mine = Key::make();
        CLINIC_TRY(mine);
        const auto pem = mine->pem();
        CLINIC_TRY(pem);
        CLINIC_TRY(keys_.put(page_key, page_key, pem->bytes()));
    }
    CLINIC_TRY(mine);
    const auto page = issue_by_known(names, *mine, now);
    CLINIC_TRY(page);
    if (*page) {
        CLINIC_TRY(write(page_file(), **page));
        return Kept::issued;
    }
    const auto above = Key::make();
    CLINIC_TRY(above);
    const auto pem = above->pem();
    CLINIC_TRY(pem);
    const auto authority = certificates::make_authority(*above, names.dns, now);
    CLINIC_TRY(authority);
    const auto first = certificates::issue(*authority, *above, *mine, names, now);
    CLINIC_TRY(first);
    CLINIC_TRY(keys_.put(authority_key, authority_key, pem->bytes()));
    // What the old authority signed goes first, and the new one comes before what it signed: a page that is not of the
    // authority that is there counts as the clinic's own.
    std::error_code none;
    std::filesystem::remove(page_file(), none);
    CLINIC_TRY(write(authority_file(), *authority)); // syncs the folder, the removal with it
    CLINIC_TRY(write(page_file(), *first));
    return Kept::trusted;
}

Result<std::string> PageCertificate::ask(const Names& names) const {
    const auto turn = alone();
    CLINIC_TRY(turn);
    const auto mine = key_or_new(next_key, page_key);
    CLINIC_TRY(mine);
    return certificates::request(*mine, names);
}

Result<void> PageCertificate::install(std::string_view chain, const Names& names, Seconds now) const {
    const auto turn = alone();
    CLINIC_TRY(turn);
    const auto waiting = key(next_key, page_key);
    CLINIC_TRY(waiting);
    if (*waiting && certificates::is_for(chain, **waiting)) {
        CLINIC_TRY(certificates::fits(chain, **waiting, names.dns, now));
        CLINIC_TRY(write(page_file(), chain));
        return keys_.rename(next_key, page_key);
    }
    const auto known = key(page_key, page_key);
    CLINIC_TRY(known);
    if (!*known && !*waiting)
        return Error{Errc::not_found, "there is no key that a certificate could be for",
                     "begin with: clinicctl tls csr"};
    CLINIC_TRY(certificates::fits(chain, *known ? **known : **waiting, names.dns, now));
    return write(page_file(), chain);
}

Result<Standing> PageCertificate::look() const {
    const auto page = text(page_file());
    CLINIC_TRY(page);
    const auto authority = text(authority_file());
    CLINIC_TRY(authority);
    const auto waiting = keys_.get(next_key, page_key);
    CLINIC_TRY(waiting);
    Standing standing{.is_there = !page->empty(), .request_waits = waiting->has_value()};
    if (const auto above = certificates::look(*authority)) standing.authority_fingerprint = above->fingerprint;
    if (!standing.is_there) return standing;
    const auto about = certificates::look(*page);
    CLINIC_TRY(about);
    standing.page = *about;
    standing.is_own = !certificates::is_signed_by(*page, *authority);
    const auto known = key(page_key, page_key);
    standing.fits_key = known && *known && certificates::is_for(*page, **known);
    return standing;
}

} // namespace clinic::provisioning
