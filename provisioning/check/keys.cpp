// The private keys: there, sealed to this machine, and nobody else's.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <vector>

#include "crypto/key_slot.h"
#include "crypto/store_look.h"
#include "provisioning/check/looks.h"
#include "provisioning/check/scene.h"
#include "provisioning/programs/sealing.h"

namespace clinic::check {
namespace {

constexpr const char* credentials = "/run/credentials/"; // where systemd puts what it opened
constexpr const char* kept = "etc/clinic-edge/keys";
constexpr const char* offered = "run/credstore.encrypted";

// All private keys that the settings name.
std::vector<std::filesystem::path> wanted(const Scene& scene) {
    std::vector<std::filesystem::path> all;
    const auto add = [&](const Result<nlohmann::json>& settings, std::initializer_list<const char*> keys) {
        if (auto path = settings ? text_at(*settings, keys) : std::string{}; !path.empty()) all.emplace_back(path);
    };
    add(scene.clinicd_settings, {"credential"});
    add(scene.clinicd_settings, {"console", "key"});
    add(scene.clinicd_settings, {"mllp", "tls", "key"});
    add(scene.syncd_settings, {"credential"});
    add(scene.syncd_settings, {"ghl", "token_file"});
    add(scene.syncd_settings, {"ghl", "oauth", "client_secret_file"});
    add(scene.syncd_settings, {"mqtt", "key"});
    return all;
}

bool is_sealed(const std::filesystem::path& key) {
    return key.string().starts_with(credentials);
}

bool is_there(const std::filesystem::path& path) {
    struct stat about {};
    return stat(path.c_str(), &about) == 0;
}

// Of a machine that can seal nothing: docs/package.md, Keys.
bool is_plain(const Scene& scene, const std::string& name) {
    const auto dot = name.rfind('.');
    return is_there(scene.under(kept) / ("plain" + (dot == std::string::npos ? "." + name : name.substr(dot))));
}

void add(std::string& list, const std::string& word) {
    list += (list.empty() ? "" : ", ") + word;
}

bool cannot_look(const std::filesystem::path& folder) {
    struct stat about {};
    return access(folder.c_str(), R_OK | X_OK) != 0 && stat(folder.c_str(), &about) == 0;
}

Finding not_for_us() {
    return unknown("cannot be seen", "the keys are root's", "run clinicctl as root");
}

// How many of the sealed keys are sealed to what; a file that is no sealed key counts for nothing.
std::map<provisioning::SealedTo, int> sealings(const Scene& scene) {
    std::map<provisioning::SealedTo, int> counts;
    for (const auto& key : wanted(scene))
        if (const std::string name = key.filename().string(); is_sealed(key) && !is_plain(scene, name))
            ++counts[provisioning::sealed_to(scene.text(std::filesystem::path{kept} / name))];
    return counts;
}

std::string keys(int count) {
    return std::to_string(count) + (count == 1 ? " key" : " keys");
}

std::string that_do_not_open(const Scene& scene) {
    std::string closed;
    for (const auto& key : wanted(scene))
        if (const std::string name = key.filename().string();
            is_sealed(key) && !is_plain(scene, name) && !is_there(scene.under(offered) / name))
            add(closed, name);
    return closed;
}

// One that systemd was told of by a name is not among the kernel's: what opens tells, once the box has been set up.
Finding without_a_tpm(const Scene& scene, int sealed) {
    const std::string box = scene.clinicd_settings ? text_at(*scene.clinicd_settings, {"box"}) : std::string{};
    if (box == "new-box" || that_do_not_open(scene).empty())
        return ok(keys(sealed) + " sealed to a TPM and the host key");
    return fail(keys(sealed) + " sealed to a TPM", "this machine has none any more",
                "switch it on in the firmware, or give the machine back; else: clinicctl keys recover --new-key");
}

} // namespace

Finding keys_tpm(const Scene& scene) {
    using provisioning::SealedTo;
    const std::string version = scene.text("sys/class/tpm/tpm0/tpm_version_major");
    auto counts = sealings(scene);
    const int with = counts[SealedTo::tpm], without = counts[SealedTo::host];
    if (version.empty() && with > 0) return without_a_tpm(scene, with);
    if (version.empty()) return ok("this machine has none: its keys are sealed to its host key");
    if (!version.starts_with("2"))
        return warn("TPM 1.2", "systemd seals to TPM 2.0 only: keys are sealed to the host key alone",
                    "switch it to 2.0 in the firmware, where it can be; seal the keys anew after that");
    if (!is_there(scene.under("dev/tpmrm0")))
        return fail("TPM 2.0 without its device", "keys that were sealed to the TPM cannot be opened",
                    "modprobe tpm_tis tpm_crb; look at: dmesg | grep -i tpm");
    if (without > 0)
        return warn("TPM 2.0, and " + keys(without) + " not sealed to it", "who takes the disk has what opens them",
                    "seal them anew: docs/package.md, Keys");
    return ok(with > 0 ? "TPM 2.0: " + keys(with) + " sealed to it and the host key" : "TPM 2.0");
}

Finding keys_there(const Scene& scene) {
    const auto all = wanted(scene);
    if (all.empty()) return unknown("no key is named", "the settings cannot be read", "run clinicctl as root");
    if (cannot_look(scene.under(kept))) return not_for_us();
    std::string missing;
    for (const auto& key : all) {
        const std::string name = key.filename().string();
        const bool found = is_sealed(key) ? is_there(scene.under(kept) / name) || is_plain(scene, name) : is_there(key);
        if (!found) add(missing, name);
    }
    if (missing.empty()) return ok(std::to_string(all.size()) + " keys");
    return fail(missing, "a key that the settings name is not on the box",
                "seal it: docs/package.md, After the installation; the store's own: clinicctl keys recover --new-key");
}

Finding keys_open(const Scene& scene) {
    if (cannot_look(scene.under(offered))) return not_for_us();
    const std::string closed = that_do_not_open(scene);
    const auto all = wanted(scene);
    const auto sealed = std::count_if(all.begin(), all.end(), [&](const std::filesystem::path& key) {
        return is_sealed(key) && !is_plain(scene, key.filename().string());
    });
    if (closed.empty()) return ok(sealed == 0 ? "plain files: nothing to open" : std::to_string(sealed) + " open here");
    return fail(
        closed, "a sealed key does not open: it is another machine's, or the TPM was cleared or changed",
        "the store's own: clinicctl keys recover --new-key; another: systemd-creds encrypt --name=NAME, then restart");
}

Finding keys_private(const Scene& scene) {
    struct stat about {};
    std::string open;
    if (stat(scene.under(kept).c_str(), &about) == 0 && (about.st_mode & 077) != 0) add(open, "/etc/clinic-edge/keys");
    for (const auto& key : wanted(scene))
        if (!is_sealed(key) && stat(key.c_str(), &about) == 0 && (about.st_mode & 077) != 0)
            add(open, key.filename().string());
    if (open.empty()) return ok("closed to others");
    return fail(open, "others than their owner may read private keys",
                "chmod 0700 the folder and 0400 the files; seal new keys");
}

// Of the slots that the newest superblock says it has. To believe it a key is needed: `clinicctl keys list`.
Finding keys_recovery(const Scene& scene) {
    if (cannot_look(scene.records))
        return unknown("cannot be seen", "the records are clinicd's", "run clinicctl as root");
    const auto look = crypto::look_at_store(scene.records);
    if (!look && look.error().code == Errc::not_found) return ok("no store yet");
    if (!look || !look->database || look->database->newest() == nullptr)
        return unknown("the store's head cannot be read", "it is damaged, or not there", "clinicctl store inspect");
    std::map<crypto::SlotKind, int> kinds;
    for (const auto& slot : look->database->newest()->slots) ++kinds[crypto::SlotKind{slot.kind}];
    const int papers = kinds[crypto::SlotKind::recovery];
    const std::string passphrase = kinds[crypto::SlotKind::passphrase] > 0 ? ", a passphrase" : "";
    if (papers > 0) return ok(std::to_string(papers) + (papers == 1 ? " recovery key" : " recovery keys") + passphrase);
    return warn("none" + passphrase, "when this machine is lost, or its TPM is cleared, nothing opens the records",
                "clinicctl keys recovery begin --reason TEXT: 24 words on paper, kept where the clinic keeps what must "
                "not burn");
}

} // namespace clinic::check
