#include "provisioning/setup/box_files.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "crypto/secret_file.h"
#include "provisioning/setup/public_pem.h"

namespace clinic::setup {
namespace {

using nlohmann::json;

constexpr std::size_t file_bytes_max = 65'536;
constexpr int settings_depth_max = 16;
constexpr std::size_t secret_bytes_max = 32'768; // what run_program takes
constexpr std::size_t key_bytes = 32;            // written in hexadecimal, as `openssl rand -hex 32` does
constexpr unsigned for_everybody = 0644, owner_alone = 0600;
constexpr const char *store_key = "clinic-edge.store", *state_key = "clinic-edge.sync-state",
                     *device_key = "clinic-edge.device";
constexpr const char* first_store = "first_store"; // noted as "making" until it is open, then as "made"
constexpr const char* permission = "make-store";   // in the records' folder
constexpr const char* usual_tag_prefix = "ce-";

Result<json> read_settings(const std::filesystem::path& file) {
    const auto text = base::read_text(file, file_bytes_max);
    if (!text && text.error().code == Errc::not_found)
        return Error{Errc::not_found, "a settings file of the box is missing",
                     "apt-get install --reinstall -o Dpkg::Options::=--force-confmiss ./clinic-edge_VERSION.deb"};
    CLINIC_TRY(text);
    auto read = base::parse_json(*text, file_bytes_max, settings_depth_max);
    if (!read || !read->is_object())
        return Error{Errc::malformed, "a settings file of the box is not JSON", "jq . FILE names the place"};
    return read;
}

// Its owner and its mode stay what they are.
Result<void> write_settings_file(const std::filesystem::path& file, const json& settings) {
    struct stat before {};
    if (stat(file.c_str(), &before) != 0) return base::file_error("a settings file cannot be looked at", errno);
    return base::write_durable(file, base::as_bytes(settings.dump(2) + "\n"), before.st_mode & 0777,
                               base::Owner{before.st_uid, before.st_gid});
}

// Where systemd puts what it opened for a unit: beside the credential that the settings name.
std::string beside(const json& settings, const char* name) {
    return (std::filesystem::path{settings.value("credential", std::string{})}.parent_path() / name).string();
}

crypto::SecureBytes new_key() {
    auto raw = crypto::SecureBytes::zeroed(key_bytes);
    randombytes_buf(raw.bytes().data(), key_bytes);
    auto hex = crypto::SecureBytes::zeroed(2 * key_bytes + 1);
    sodium_bin2hex(reinterpret_cast<char*>(hex.bytes().data()), 2 * key_bytes + 1,
                   reinterpret_cast<const unsigned char*>(raw.bytes().data()), key_bytes);
    return crypto::SecureBytes::copy_of(hex.bytes().first(2 * key_bytes));
}

// A part of the settings, made where it is not there.
json& part_of(json& settings, const char* key) {
    json& part = settings[key];
    if (!part.is_object()) part = json::object();
    return part;
}

void put_rules(json& part, const Ghl& ghl, const std::string& tag_prefix) {
    if (part.value("location", ghl.location) != ghl.location) { // the ids of another one are not there
        part.erase("fields");
        part.erase("bookings");
        if (part.contains("reads")) part_of(part, "reads").erase("calendars");
    }
    part["location"] = ghl.location;
    part["tag_prefix"] = tag_prefix;
    if (!ghl.fields.empty()) part["fields"] = ghl.fields;
}

void put_ops(json& part, const Ops& ops, const std::string& tls, const std::string& key) {
    part["host"] = ops.host;
    part["port"] = ops.port;
    part["ca"] = tls + "ops-ca.pem";
    part["cert"] = tls + "device.pem";
    part["key"] = key;
}

void name_the_page(json& settings, const std::string& box) {
    const std::string before = settings.value("box", std::string{});
    json kept = json::array();
    for (const json& one : settings["console"].value("names", json::array()))
        if (one != before && one != box) kept.push_back(one);
    kept.push_back(box);
    settings["console"]["names"] = std::move(kept);
}

} // namespace

Result<std::filesystem::path> BoxFiles::records() const {
    const auto settings = read_settings(clinicd_settings());
    CLINIC_TRY(settings);
    const std::string said = settings->value("records", std::string{});
    if (said.empty()) return Error{Errc::malformed, "clinicd.json names no records", "man clinicd.json"};
    return std::filesystem::path{said};
}

Result<bool> BoxFiles::store_is_there() const {
    const auto folder = records();
    CLINIC_TRY(folder);
    for (const char* file : {"records.db", "keys.db"}) {
        struct stat about {};
        if (stat((*folder / file).c_str(), &about) == 0) return true;
        if (errno != ENOENT)
            return Error{Errc::system, "the records' folder cannot be seen", "run it as root", {}, errno};
    }
    return false;
}

// Also one that a machine before this one had sealed, and one that is not sealed at all: docs/package.md, "Keys".
Result<bool> BoxFiles::had_a_key() const {
    std::error_code why;
    for (std::filesystem::directory_iterator one{etc_ / "keys", why}, end; !why && one != end; one.increment(why)) {
        const auto name = one->path().filename().string();
        if (name == "plain.store" || (name.starts_with("before.") && name.ends_with(store_key))) return true;
    }
    if (why) return Error{Errc::system, "the keys' folder cannot be read", "run it as root", {}, why.value()};
    return false;
}

// That the store is the first is written down before its key is made.
Result<void> BoxFiles::make_store_key(Progress& progress) const {
    const auto there = store_is_there();
    CLINIC_TRY(there);
    if (!*there && progress.noted(first_store) == "made")
        return Error{Errc::not_found, "the records of this box are not in their folder",
                     "mount their disk; then: clinicctl setup --again claim"};
    const auto known = keys_.get(store_key, store_key);
    if (!known && known.error().code == Errc::locked)
        return Error{Errc::locked, "the key of the records does not open on this machine",
                     "leave it where it is, and have the recovery words: clinicctl keys recover --new-key"};
    CLINIC_TRY(known);
    if (*known) return {};
    if (*there)
        return Error{Errc::refused, "there are records, and the key that opens them is not on this machine",
                     "put its copy back, or use the recovery words: clinicctl keys recover --new-key"};
    const auto had = had_a_key();
    CLINIC_TRY(had);
    if (*had)
        return Error{Errc::refused, "this box had a key of its records before, and there are no records",
                     "mount their disk; then, with the recovery words: clinicctl keys recover --new-key"};
    CLINIC_TRY(progress.note(first_store, "making"));
    return keys_.put(store_key, store_key, new_key().bytes());
}

Result<void> BoxFiles::make_keys(Progress& progress) const {
    CLINIC_TRY(make_store_key(progress));
    const auto state = keys_.get(state_key, state_key);
    CLINIC_TRY(state);
    return *state ? Result<void>{} : keys_.put(state_key, state_key, new_key().bytes());
}

// An empty folder without this file is one whose disk is not mounted. It stays root's: the folder is clinicd's, which
// takes it away, and might put a link in its place before root gave it to anybody.
Result<void> BoxFiles::allow_first_store(const Progress& progress) const {
    const auto there = store_is_there();
    CLINIC_TRY(there);
    if (*there || progress.noted(first_store) != "making") return {};
    const auto folder = records();
    CLINIC_TRY(folder);
    struct stat about {};
    if (stat(folder->c_str(), &about) != 0)
        return Error{Errc::not_found,
                     "the records' folder is not there",
                     "mount its disk; in a new installation: systemd-tmpfiles --create",
                     {},
                     errno};
    return base::write_durable(*folder / permission, {}, owner_alone);
}

Result<void> BoxFiles::take_permission_back() const {
    const auto folder = records();
    CLINIC_TRY(folder);
    CLINIC_TRY(base::remove_durable(*folder / permission));
    return {};
}

// Of what was read here, whatever the path led to when the answers were looked at.
Result<void> BoxFiles::copy(const std::filesystem::path& from, const char* to) const {
    const auto text = base::read_text(from, file_bytes_max);
    CLINIC_TRY(text);
    const auto blocks = certificates_in(*text);
    if (!blocks)
        return Error{blocks.error().code, "a file of certificates is not what the answers had",
                     "name it once more: clinicctl setup"};
    return base::write_durable(etc_ / "tls" / to, base::as_bytes(*blocks), for_everybody);
}

Result<json> BoxFiles::ghl() const {
    const auto settings = read_settings(syncd_settings());
    CLINIC_TRY(settings);
    const auto found = settings->find("ghl");
    return found != settings->end() && found->is_object() ? *found : json::object();
}

Result<std::filesystem::path> BoxFiles::ask_socket() const {
    const auto settings = read_settings(syncd_settings());
    CLINIC_TRY(settings);
    return std::filesystem::path{settings->value("diagnose", std::string{})};
}

Result<void> BoxFiles::seal_secrets(const Claim& claim) const {
    const auto seal = [this](const std::filesystem::path& from, const char* name) -> Result<void> {
        const auto secret = crypto::read_secret_file(from, secret_bytes_max);
        CLINIC_TRY(secret);
        return keys_.put(name, name, secret->bytes());
    };
    const auto now = ghl();
    CLINIC_TRY(now);
    const bool by_grant = now->contains("oauth");
    if (!by_grant && !claim.ghl.token_file)
        return Error{Errc::refused, "there is no token for GHL, and no ghl.oauth in clinic-syncd.json",
                     "name a file with the token (ghl.token_file), or set ghl.oauth there"};
    if (!by_grant) CLINIC_TRY(seal(*claim.ghl.token_file, ghl_token_key));
    if (claim.ghl.ca_file) CLINIC_TRY(copy(*claim.ghl.ca_file, "ghl-ca.pem"));
    if (!claim.ops) return {};
    CLINIC_TRY(seal(claim.ops->key_file, device_key));
    CLINIC_TRY(copy(claim.ops->ca_file, "ops-ca.pem"));
    return copy(claim.ops->certificate_file, "device.pem");
}

Result<bool> BoxFiles::write_location(const json& fields, const json& calendars) const {
    bool changed = false;
    // clinic-syncd's last: where it has them the setup takes both for written.
    for (const auto& file : {clinicd_settings(), syncd_settings()}) {
        auto settings = read_settings(file);
        CLINIC_TRY(settings);
        json& ghl = part_of(*settings, "ghl");
        if (!ghl.contains("location"))
            return Error{Errc::refused, "the settings do not name GHL's location", "clinicctl setup --again claim"};
        const json before = ghl;
        ghl["fields"] = fields;
        if (!calendars.empty() && !ghl.value("reads", json::object()).contains("calendars"))
            part_of(ghl, "reads")["calendars"] = calendars;
        if (ghl == before) continue;
        CLINIC_TRY(write_settings_file(file, *settings));
        changed = true;
    }
    return changed;
}

Result<std::string> BoxFiles::token_elsewhere(const char* slot, const char* key) const {
    auto settings = read_settings(syncd_settings());
    CLINIC_TRY(settings);
    const std::string named = part_of(*settings, "ghl").value(slot, std::string{});
    return named == beside(*settings, key) ? std::string{} : named;
}

Result<void> BoxFiles::name_next_token() const {
    auto settings = read_settings(syncd_settings());
    CLINIC_TRY(settings);
    json& ghl = part_of(*settings, "ghl");
    if (!ghl.value(ghl_next_slot, std::string{}).empty()) return {};
    ghl[ghl_next_slot] = beside(*settings, ghl_next_key);
    return write_settings_file(syncd_settings(), *settings);
}

Result<void> BoxFiles::write_settings(const Claim& claim) const {
    auto ours = read_settings(clinicd_settings());
    CLINIC_TRY(ours);
    auto theirs = read_settings(syncd_settings());
    CLINIC_TRY(theirs);
    const std::string tls = (etc_ / "tls").string() + "/";

    name_the_page(*ours, claim.box);
    (*ours)["box"] = claim.box;
    (*ours)["zone"] = claim.zone;
    (*theirs)["box"] = claim.box;
    json &our_ghl = part_of(*ours, "ghl"), &ghl = part_of(*theirs, "ghl");
    const std::string tag_prefix = claim.ghl.tag_prefix.value_or(ghl.value("tag_prefix", usual_tag_prefix));
    put_rules(our_ghl, claim.ghl, tag_prefix);
    if (claim.ghl.index_lag_ms) our_ghl["index_lag_ms"] = *claim.ghl.index_lag_ms;
    if (claim.ghl.late_ms) our_ghl["late_ms"] = *claim.ghl.late_ms;

    put_rules(ghl, claim.ghl, tag_prefix);
    ghl["base"] = claim.ghl.base;
    if (!ghl.contains("oauth")) ghl[ghl_token_slot] = beside(*theirs, ghl_token_key);
    if (!ghl.contains("polling")) ghl["polling"] = json::object(); // what changes there is seen, by the usual pace
    if (claim.ghl.ca_file) ghl["ca"] = tls + "ghl-ca.pem";
    if (claim.ghl.call_timeout_s) ghl["call_timeout_s"] = *claim.ghl.call_timeout_s;
    if (claim.ops)
        put_ops(part_of(*theirs, "mqtt"), *claim.ops, tls, beside(*theirs, device_key));
    else
        theirs->erase("mqtt");
    CLINIC_TRY(write_settings_file(syncd_settings(), *theirs));
    return write_settings_file(clinicd_settings(), *ours);
}

} // namespace clinic::setup
