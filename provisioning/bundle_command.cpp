#include "provisioning/bundle_command.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "crypto/sealed_blob.h"
#include "provisioning/answers.h"
#include "provisioning/bundle/contents.h"
#include "provisioning/check/table.h"
#include "provisioning/check_command.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

constexpr unsigned for_its_owner = 0600;
constexpr std::size_t key_file_bytes_max = 1'024, file_bytes_max = 32 * 1'048'576;

Result<crypto::BlobKey> key_of(const check::Scene& scene) {
    const std::string said =
        scene.clinicd_settings ? check::text_at(*scene.clinicd_settings, {"support", "key"}) : std::string{};
    if (said.empty())
        return Error{Errc::not_found, "there is no key to seal it to",
                     "ask whoever supports this box for theirs, and put it into clinicd.json: \"support\": {\"key\": "
                     "\"64 DIGITS\"}; without one: clinicctl bundle --preview"};
    return crypto::read_blob_key(said);
}

// As clinicd wants it (docs/audit.md): said before anything is gathered.
bool is_reason(const std::string& text) {
    return text.size() >= 4 && text.size() <= 200 &&
           std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

// In 80 columns: what is in it, how long, and why it may leave.
std::string listed(const json& manifest) {
    std::string out;
    for (const auto& one : manifest.at("contents")) {
        std::string id = one.at("id").get<std::string>();
        id.resize(std::max<std::size_t>(13, id.size() + 1), ' ');
        const std::string size = one.contains("missing") ? "not there: " + one.at("missing").get<std::string>()
                                                         : std::to_string(one.at("bytes").get<std::size_t>()) +
                                                               " bytes: " + one.at("safe").get<std::string>();
        out += id + wrapped(size, 13);
    }
    return out;
}

void print_contents(const std::vector<std::pair<std::string, std::string>>& contents) {
    for (const auto& [id, body] : contents) {
        std::printf("\n== %s\n", id.c_str());
        const json value = json::parse(body, nullptr, false);
        std::printf("%s\n", value.is_discarded() ? "(no JSON)" : value.dump(2, ' ', true).c_str());
    }
}

bundle::Heading heading_of(const check::Scene& scene) {
    return {.version = scene.site.version, .made = scene.site.now};
}

std::vector<bundle::Item> items_of(const std::shared_ptr<const check::Scene>& scene) {
    return bundle::gather({.scene = scene, .checks = check::run(check::table(), scene)});
}

int preview(const bundle::Heading& heading, const std::vector<bundle::Item>& items) {
    const json manifest = bundle::manifest(heading, items);
    std::fputs(listed(manifest).c_str(), stdout);
    std::printf("\n== manifest\n%s\n", manifest.dump(2, ' ', true).c_str());
    std::vector<std::pair<std::string, std::string>> contents;
    for (const auto& item : items)
        if (*item.missing.c_str() == '\0') contents.emplace_back(item.id.c_str(), item.body);
    print_contents(contents);
    return 0;
}

// clinicd keeps who made one and why. Where it cannot, support is not made to wait for it, and both are told.
bool note(const Client& client, const check::Scene& scene, const crypto::BlobKey& key, const std::string& reason) {
    const bool answers = scene.said().is_object();
    if (answers && client.ask("bundle-made", {{"key", crypto::fingerprint(key)}, {"reason", reason}})) return true;
    std::fputs(
        "clinicctl: bundle: the audit trail does not know of it: clinicd is away, or its records are closed; the "
        "bundle says so too\n",
        stderr);
    return false;
}

int seal(const Call& call, const std::string& packed, const crypto::BlobKey& key) {
    const auto sealed = crypto::seal_blob(base::as_bytes(packed), key);
    if (!sealed) return refuse("bundle", sealed.error());
    const std::string file = call.has("--out") ? call.value("--out") : "clinic-edge.bundle";
    if (const auto kept = base::write_durable(file, *sealed, for_its_owner); !kept)
        return refuse("bundle", kept.error());
    std::printf("Sealed to the key %s: %zu bytes in %s\n", crypto::fingerprint(key).c_str(), sealed->size(),
                file.c_str());
    return 0;
}

Result<crypto::SecureBytes> secret_in(const std::string& file) {
    const auto text = base::read_text(file, key_file_bytes_max);
    CLINIC_TRY(text);
    return crypto::read_blob_secret(*text);
}

Result<void> write_contents(const std::filesystem::path& folder, const bundle::Unpacked& opened) {
    if (mkdir(folder.c_str(), 0700) != 0)
        return errno == EEXIST ? Error{Errc::conflict, "the folder is there already", "name one that is not there"}
                               : Error{Errc::system, "the folder cannot be made", "", {}, errno};
    CLINIC_TRY(
        base::write_durable(folder / "manifest.json", base::as_bytes(opened.manifest.dump(2) + "\n"), for_its_owner));
    for (const auto& [id, body] : opened.contents)
        CLINIC_TRY(base::write_durable(folder / (id + ".json"), base::as_bytes(body), for_its_owner));
    return {};
}

} // namespace

int make_bundle(const Call& call, const Client& client) {
    if (!crypto::start()) return failed;
    const std::string reason = call.value("--reason");
    const bool shown = call.has("--preview");
    if (!shown && !is_reason(reason))
        return refuse("bundle",
                      {Errc::refused, "this needs a reason",
                       "add --reason TEXT, 4 to 200 characters that name nobody: it is kept in the audit trail"});
    const auto scene = std::make_shared<const check::Scene>(site_of(call, client));
    const auto key = shown ? Result<crypto::BlobKey>{crypto::BlobKey{}} : key_of(*scene);
    if (!key) return refuse("bundle", key.error());
    auto heading = heading_of(*scene);
    if (!shown) heading.audited = note(client, *scene, *key, reason);
    const auto items = items_of(scene);
    if (shown) return preview(heading, items);
    std::fputs(listed(bundle::manifest(heading, items)).c_str(), stdout);
    const auto packed = bundle::pack(heading, items);
    return packed ? seal(call, *packed, *key) : refuse("bundle", packed.error());
}

int open_bundle(const Call& call, const Client&) {
    if (!crypto::start()) return failed;
    if (!call.has("--key"))
        return refuse("bundle", {Errc::malformed, "which key opens it", "add --key FILE, of clinicctl bundle keygen"});
    const auto secret = secret_in(call.value("--key"));
    if (!secret) return refuse("bundle", secret.error());
    const auto sealed = base::read_bytes(call.words[2], file_bytes_max);
    if (!sealed) return refuse("bundle", sealed.error());
    const auto packed = crypto::open_blob(*sealed, *secret);
    if (!packed) return refuse("bundle", packed.error());
    const auto opened = bundle::unpack({reinterpret_cast<const char*>(packed->data()), packed->size()});
    if (!opened) return refuse("bundle", opened.error());
    if (call.has("--out")) {
        const auto kept = write_contents(call.value("--out"), *opened);
        return kept ? 0 : refuse("bundle", kept.error());
    }
    std::fputs(listed(opened->manifest).c_str(), stdout);
    std::printf("\n== manifest\n%s\n", opened->manifest.dump(2, ' ', true).c_str());
    print_contents(opened->contents);
    return 0;
}

int make_bundle_key(const Call& call, const Client&) {
    if (!crypto::start()) return failed;
    const std::string file = call.has("--out") ? call.value("--out") : "clinic-edge-support.key";
    std::error_code none;
    if (std::filesystem::exists(file, none))
        return refuse("bundle", {Errc::conflict, "there is such a file already", "give another name with --out"});
    const auto keys = crypto::make_blob_keys();
    const std::string secret = crypto::hex(keys.secret.bytes()) + "\n";
    if (const auto kept = base::write_durable(file, base::as_bytes(secret), for_its_owner); !kept)
        return refuse("bundle", kept.error());
    std::printf("%s\n", crypto::hex(keys.to).c_str());
    std::fprintf(stderr,
                 "That is the public key, for \"support\": {\"key\": …} in the clinics' clinicd.json. Its fingerprint "
                 "is %s.\nThe secret one is in %s: who has it reads every bundle sealed to it.\n",
                 crypto::fingerprint(keys.to).c_str(), file.c_str());
    return 0;
}

} // namespace clinic::provisioning
