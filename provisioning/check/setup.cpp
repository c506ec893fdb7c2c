// The two settings files, and the folders and users that they name.
#include <sys/stat.h>

#include <cerrno>

#include "provisioning/check/looks.h"
#include "provisioning/check/scene.h"

namespace clinic::check {
namespace {

using nlohmann::json;

Finding unread(const Error& why) {
    if (why.code == Errc::not_found)
        return fail(
            "not there", "the settings file is missing: the program does not start",
            "apt-get install --reinstall -o Dpkg::Options::=--force-confmiss ./clinic-edge_VERSION.deb puts it back");
    if (why.code == Errc::system)
        return unknown("cannot be read", "the settings are not for this user to read", "run clinicctl as root");
    return fail(why.what.c_str(), "the settings are not JSON: the program does not start",
                "mend the file: jq . FILE names the place");
}

// The first of these that the settings lack.
std::string lacking(const json& settings, std::initializer_list<const char*> keys) {
    for (const char* key : keys)
        if (!settings.contains(key)) return key;
    return {};
}

bool is_private(const struct stat& about) {
    return S_ISDIR(about.st_mode) && (about.st_mode & 077) == 0;
}

} // namespace

Finding setup_clinicd(const Scene& scene) {
    if (!scene.clinicd_settings) return unread(scene.clinicd_settings.error());
    const json& settings = *scene.clinicd_settings;
    const auto missing = lacking(settings, {"box", "zone", "records", "credential", "operators", "console", "mllp"});
    if (!missing.empty())
        return fail(missing + " is missing", "a setting that clinicd needs is not there: it does not start",
                    "add it: man clinicd.json");
    if (text_at(settings, {"box"}) == "new-box")
        return warn("the box is still called new-box", "the box has not been set up",
                    "set it up: clinicctl setup (docs/setup.md)");
    return ok("box " + text_at(settings, {"box"}));
}

Finding setup_syncd(const Scene& scene) {
    if (!scene.syncd_settings) return unread(scene.syncd_settings.error());
    const json& settings = *scene.syncd_settings;
    const auto missing = lacking(settings, {"box", "egress", "state", "credential"});
    if (!missing.empty())
        return fail(missing + " is missing", "a setting that clinic-syncd needs is not there: it does not start",
                    "add it: man clinic-syncd.json");
    if (!settings.contains("ghl"))
        return warn("no ghl", "it was not told which GHL account is the clinic's: nothing leaves",
                    "add ghl: man clinic-syncd.json; the same location and fields stand in clinicd.json");
    if (!settings.contains("mqtt"))
        return warn("no mqtt", "it was not told where central operations are: nobody outside sees how the box is",
                    "add mqtt: man clinic-syncd.json");
    return ok("GHL and central operations are named");
}

// What becomes of a case is clinicd's alone.
json pipeline_of(const json& ghl) {
    auto pipeline = ghl.value("pipeline", json{});
    if (pipeline.is_object()) pipeline.erase("outcomes");
    return pipeline;
}

// clinicd's last check compares each request with its own copy: what differs is stopped there.
Finding setup_agrees(const Scene& scene) {
    if (!scene.clinicd_settings || !scene.syncd_settings)
        return unknown("cannot be compared", "one of the two files cannot be read", "run clinicctl as root");
    const json &ours = *scene.clinicd_settings, &theirs = *scene.syncd_settings;
    std::string differs;
    if (text_at(ours, {"box"}) != text_at(theirs, {"box"})) differs = "box";
    if (ours.contains("ghl") != theirs.contains("ghl")) differs = "ghl";
    if (differs.empty() && ours.contains("ghl") && ours["ghl"].is_object() && theirs["ghl"].is_object()) {
        const json mine = ours["ghl"].value("fields", json{}), its = theirs["ghl"].value("fields", json{});
        if (mine != its) differs = "ghl.fields";
        const json into = pipeline_of(ours["ghl"]), thereof = pipeline_of(theirs["ghl"]);
        if (into != thereof) differs = "ghl.pipeline";
        if (text_at(ours, {"ghl", "location"}) != text_at(theirs, {"ghl", "location"})) differs = "ghl.location";
    }
    if (differs.empty()) return ok("the same box, location and fields");
    return fail(differs + " differs", "the two programs were told different things, so that nothing may leave",
                "make them the same in clinicd.json and clinic-syncd.json, then restart both");
}

Finding setup_records(const Scene& scene) {
    struct stat about {};
    if (stat(scene.records.c_str(), &about) != 0) {
        if (errno == EACCES)
            return unknown("cannot be reached", "the folder is not for this user to see", "run it as root");
        return fail("not there", "the records' folder is missing, or its disk is not mounted",
                    "mount the disk; in a new installation: systemd-tmpfiles --create");
    }
    if (!is_private(about))
        return fail("open to others", "others than clinicd may look into the records' folder",
                    "chmod 0700 it, and see who did that");
    return ok("there, and closed to others");
}

Finding setup_users(const Scene& scene) {
    const std::filesystem::path state =
        scene.syncd_settings ? text_at(*scene.syncd_settings, {"state"}) : std::string{};
    struct stat records {
    }, sync{};
    if (state.empty() || stat(scene.records.c_str(), &records) != 0 || stat(state.c_str(), &sync) != 0)
        return unknown("cannot be compared", "one of the two folders is not there or not for this user to see",
                       "run clinicctl as root; in a new installation: systemd-tmpfiles --create");
    const std::string said = "users " + std::to_string(records.st_uid) + " and " + std::to_string(sync.st_uid);
    if (records.st_uid == sync.st_uid)
        return fail(said, "the program with the network runs as the one that has the records: nothing keeps them apart",
                    "give each its own user (peer in clinicd.json), and its own folder to each");
    if (records.st_uid == 0 || sync.st_uid == 0)
        return fail(said, "a folder of the box belongs to root: its program cannot use it",
                    "systemd-tmpfiles --create gives the folders back");
    return ok(said);
}

} // namespace clinic::check
