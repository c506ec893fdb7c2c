// What clinicd says of itself over control.sock: docs/status.md has every key.
#include <cstdlib>

#include "crypto/base/days.h"
#include "provisioning/check/looks.h"
#include "provisioning/check/scene.h"

namespace clinic::check {
namespace {

using nlohmann::json;

constexpr std::int64_t hour_s = 3'600, day_s = 86'400;

std::string count(std::int64_t number, const char* what) {
    return std::to_string(number) + " " + what;
}

std::string span(std::int64_t seconds) {
    if (seconds < 120) return count(seconds, "s");
    if (seconds < 2 * hour_s) return count(seconds / 60, "min");
    return seconds < 2 * day_s ? count(seconds / hour_s, "h") : count(seconds / day_s, "days");
}

void add(std::string& list, const std::string& word) {
    list += (list.empty() ? "" : ", ") + word;
}

// The parts that do not hold, or were not looked at.
struct Parts {
    std::string open, unseen;
};
Parts parts_of(const json& list) {
    Parts out;
    for (const auto& part : list) {
        const auto holds = part.value("holds", json{});
        if (holds == json(false)) add(out.open, part.value("part", std::string{}));
        if (holds.is_null()) add(out.unseen, part.value("part", std::string{}));
    }
    return out;
}

Finding contained(const Parts& parts, std::size_t all) {
    if (!parts.open.empty())
        return fail(parts.open, "a part of what keeps patient data in does not hold",
                    "clinicctl containment says more of each part; docs/containment.md says what each needs");
    if (!parts.unseen.empty())
        return unknown(parts.unseen, "a part of the containment could not be looked at", "run clinicctl as root");
    return ok(count(static_cast<std::int64_t>(all), "parts hold"));
}

} // namespace

Finding clinicd_answers(const Scene& scene) {
    const auto* answer = scene.status.wait(std::chrono::steady_clock::now() + answer_max);
    if (answer == nullptr || (!*answer && answer->error().code == Errc::timeout))
        return fail("silent", "clinicd runs and does not answer clinicctl",
                    "journalctl -u clinicd -n 50; its watchdog starts it anew within a minute, else: systemctl restart "
                    "clinicd");
    if (*answer) return ok("in mode " + text_at(**answer, {"mode"}));
    if (answer->error().code == Errc::unauthorized)
        return unknown("not for this user", "clinicd answers root and its operators alone", "run clinicctl as root");
    if (answer->error().code == Errc::not_found)
        return fail("down", "clinicd does not run: nothing is taken in, and the page is dark",
                    "systemctl start clinic-edge.target; journalctl -u clinicd -n 50 says why it ended");
    return fail("no answer that is understood", "clinicd hung up, or is of another version than clinicctl",
                "journalctl -u clinicd -n 50; use the clinicctl of the same package");
}

Finding clinicd_mode(const Scene& scene) {
    const std::string mode = text_at(scene.said(), {"mode"});
    if (mode == "running") return ok(mode);
    if (mode == "clock-untrusted")
        return warn(mode, "clinicd is not sure of the time: what has an end date waits", "see the checks of the clock");
    if (mode == "restoring")
        return warn(mode, "a store is being put back",
                    "wait for its end; where it was cut off, clinicctl store restore again");
    if (mode == "draining")
        return warn(mode, "no messages are taken in: an operator asked for it",
                    "when the work on the box is done: clinicctl drain end --reason TEXT");
    if (mode == "locked")
        return fail(mode, "clinicd has no key for its store", "see the checks of the keys; clinicctl status says more");
    if (mode == "full")
        return fail(mode, "there is no room to store messages", "see the checks of the disk: 8 MB free end this mode");
    return fail(mode, "the stored data cannot be used as it lies there",
                "clinicctl status says which; docs/clinicctl.md, The store: check and salvage");
}

Finding clinicd_version(const Scene& scene) {
    const std::string runs = text_at(scene.said(), {"version"});
    if (runs == scene.site.version) return ok(runs);
    return warn(runs + " runs, " + scene.site.version + " is installed", "an update has not been taken into use",
                "systemctl restart clinicd clinic-syncd");
}

Finding clinicd_ports(const Scene& scene) {
    constexpr std::size_t page_and_messages = 2;
    const auto ports = ports_of(scene.contained());
    std::string open;
    for (const auto port : ports) add(open, std::to_string(port));
    if (ports.size() < page_and_messages)
        return fail(ports.empty() ? "none" : open,
                    "clinicd was not handed its ports: nobody finds the page, or no sender",
                    "systemctl restart clinic-edge.target; systemctl status 'clinic-edge-*.socket'");
    const bool by_tls = scene.clinicd_settings && object_at(*scene.clinicd_settings, {"mllp"}).contains("tls");
    if (by_tls && ports.size() == page_and_messages)
        return fail(open, "messages by TLS are set up, and no port is open for them",
                    "systemctl enable clinic-edge-mllps.socket; systemctl restart clinic-edge.target");
    return ok(open);
}

Finding clock_trusted(const Scene& scene) {
    const json said = scene.said();
    if (flag_at(said, {"clock", "trusted"})) return ok("trusted");
    if (!flag_at(said, {"clock", "floor_holds"}))
        return fail("before the newest time it knew", "the clock went back, or was lost with the battery",
                    "set it: timedatectl set-time 'YYYY-MM-DD HH:MM'; then: clinicctl clock confirm");
    const auto step = number_at(said, {"clock", "step_s"});
    if (step != 0)
        return fail("jumped forward by " + span(step), "nobody confirmed a jump of more than a day",
                    "see that the date is right, then: clinicctl clock confirm");
    return warn("no witness", "neither a time server nor GHL's own clock confirms the time",
                "see clock.kept and the checks of the delivery; or look yourself, then: clinicctl clock confirm");
}

Finding clock_offset(const Scene& scene) {
    constexpr std::int64_t apart_max = 120;
    const json said = scene.said();
    if (!object_at(said, {"clock"}).value("https_offset_s", json{}).is_number_integer())
        return ok("GHL has told no time lately");
    const auto apart = number_at(said, {"clock", "https_offset_s"});
    if (std::abs(apart) <= apart_max) return ok(count(apart, "s from GHL's"));
    return warn(count(apart, "s from GHL's"), "the box's clock and GHL's are more than two minutes apart",
                "see clock.kept; set the clock if it is the box's that is wrong");
}

Finding store_readable(const Scene& scene) {
    const json said = scene.said();
    if (flag_at(said, {"store", "open"}) && flag_at(said, {"store", "readable"})) return ok("open");
    return fail("cannot be read", "clinicd cannot look into its own store at the moment",
                "see the checks of the disk; journalctl -u clinicd -p err");
}

Finding store_seals(const Scene& scene) {
    const auto failures = number_at(scene.said(), {"store", "authentication_failures"});
    if (failures == 0) return ok("all held");
    return fail(count(failures, "pages failed"), "stored pages are not as they were written: the disk, or somebody",
                "stop clinicd, copy the folder, then: clinicctl store check; docs/clinicctl.md, The store");
}

Finding store_checked(const Scene& scene) {
    constexpr std::int64_t days_max = 14;
    const auto too_old = [](std::int64_t age_s, const char* since) {
        return warn(span(age_s) + since, "the weekly check does not get to its end",
                    "see machine.load and disk.errors; it goes on by itself where the machine has time");
    };
    const json said = scene.said();
    const auto sound = object_at(said, {"store", "check"}).value("sound", json{});
    if (sound == json(false))
        return fail("damage found", "the weekly check found stored data damaged",
                    "clinicctl status says more; docs/clinicctl.md, The store: check and salvage");
    if (const auto skipped = number_at(said, {"store", "check", "tables_skipped"}); sound.is_null() && skipped > 0)
        return warn(count(skipped, "tables left out"), "the weekly check does not get to all of the records",
                    "see machine.load and disk.errors; it is tried again within a day");
    if (sound.is_null()) {
        const auto since = base::time_of(text_at(said, {"store", "check", "started"}));
        const auto takes_s = since ? (scene.site.now - *since).count() / 1'000'000 : 0;
        if (takes_s > days_max * day_s) return too_old(takes_s, ", and not done");
        return ok(since ? "the first one is under way" : "the first one is to come");
    }
    const auto age = number_at(said, {"store", "check", "last_s"});
    if (age > days_max * day_s) return too_old(age, " ago");
    return ok("sound, " + span(age) + " ago");
}

// A check that ended with damage did not come to the keys, which are its last part.
Finding store_people(const Scene& scene) {
    const json said = scene.said(), check = object_at(said, {"store", "check"});
    const auto damaged = number_at(said, {"store", "check", "keys_damaged"});
    const bool looked_at = !check.value("last", json{}).is_null() && check.value("sound", json{}) != json(false);
    if (damaged <= 0) return ok(looked_at ? "all open" : "the first check of them is to come");
    return fail(count(damaged, "do not open"), "these people's records cannot be read: the disk, or somebody",
                "stop clinicd, then clinicctl store mend-keys with a copy of keys.db; docs/clinicctl.md, The store");
}

Finding store_keys(const Scene& scene) {
    constexpr std::int64_t least = 64;
    const auto free = number_at(scene.said(), {"store", "free_key_slots"});
    if (free >= least) return ok(count(free, "in reserve"));
    return free == 0 ? fail("none in reserve", "no new patient can be stored",
                            "see the checks of the disk: keys.db must grow")
                     : warn(count(free, "in reserve"), "new patients' keys run short: keys.db does not grow",
                            "see the checks of the disk; journalctl -u clinicd -p warning");
}

Finding store_wal(const Scene& scene) {
    constexpr std::int64_t mega = 1'000'000, most = 256 * mega;
    const auto bytes = number_at(scene.said(), {"store", "wal_bytes"});
    if (bytes <= most) return ok(count(bytes / mega, "MB"));
    return warn(count(bytes / mega, "MB"), "the store's log is not copied back into its file",
                "see disk.space and machine.load; if it keeps growing: systemctl restart clinicd");
}

Finding store_books(const Scene& scene) {
    const json said = scene.said(), feeds = object_at(said, {"feeds"});
    std::string wrong;
    if (!flag_at(said, {"queue", "crm", "balanced"})) add(wrong, "to GHL");
    for (const auto& [name, feed] : feeds.items())
        if (!flag_at(feed, {"balanced"})) add(wrong, name);
    if (wrong.empty()) return ok("add up");
    return fail(wrong, "what came in or went out is not all accounted for",
                "keep the journal, and report it: it is a fault of ours");
}

Finding containment_inside(const Scene& scene) {
    const json said = scene.contained();
    const json parts = said.is_object() ? said.value("parts", json::array()) : json::array();
    if (parts.empty())
        return unknown("not told", "clinicd did not say what keeps it in", "ask again: clinicctl containment");
    return contained(parts_of(parts), parts.size());
}

Finding containment_outside(const Scene& scene) {
    const json said = scene.contained();
    if (!scene.site.outside || !said.is_object())
        return unknown("not looked at", "clinicd did not say which process it is", "ask again: clinicctl containment");
    const json parts = scene.site.outside(said).value("outside", json::array());
    return contained(parts_of(parts), parts.size());
}

Finding feeds_named(const Scene& scene) {
    int senders = 0;
    const json feeds = object_at(scene.said(), {"feeds"});
    for (const auto& [name, feed] : feeds.items()) senders += feed.contains("sender_of") ? 1 : 0;
    if (senders > 0) return ok(count(senders, senders == 1 ? "sender" : "senders"));
    const bool lets_in =
        scene.clinicd_settings && !object_at(*scene.clinicd_settings, {"mllp"}).value("allow", json::array()).empty();
    if (lets_in) return ok("by address alone");
    return warn("none", "no sender may come in: the practice system is refused",
                "clinicctl feed add NAME --address ADDRESS, or mllp.allow in clinicd.json");
}

Finding feeds_silent(const Scene& scene) {
    std::string silent;
    const json feeds = object_at(scene.said(), {"feeds"});
    for (const auto& [name, feed] : feeds.items())
        if (text_at(feed, {"state"}) == "silent") add(silent, name);
    if (silent.empty()) return ok("none");
    return warn(silent, "nothing comes from a sender for longer than is expected of it",
                "see that the practice system runs and sends to this box; clinicctl feed list");
}

Finding intake_quarantine(const Scene& scene) {
    const auto items = number_at(scene.said(), {"store", "quarantine_items"});
    if (items == 0) return ok("empty");
    return warn(count(items, items == 1 ? "message" : "messages"), "messages came that could not be accepted",
                "clinicctl quarantine list says why of each; mend the cause, then: clinicctl quarantine replay --all");
}

Finding basis_valid(const Scene& scene) {
    constexpr std::chrono::days notice{31};
    const json said = scene.said();
    const std::string basis = text_at(said, {"basis", "name"});
    if (flag_at(said, {"basis", "expired"}))
        return fail(basis + ", expired", "the agreement has ended, so nothing leaves",
                    "clinicctl basis set with the new agreement and its date");
    if (basis == "off") return warn("off", "no legal basis is set, so nothing leaves", "clinicctl basis set");
    const auto ends = base::time_of(text_at(said, {"basis", "expires"}));
    if (!ends) return ok(basis);
    const auto left = *ends - scene.site.now;
    const std::string when = basis + ", " + base::ends_on(text_at(said, {"basis", "last_day"}), left);
    if (left < notice)
        return warn(when, "the agreement ends soon: then nothing leaves",
                    "have it renewed, then: clinicctl basis set with its new date");
    return ok(when);
}

Finding queue_age(const Scene& scene) {
    const json said = scene.said();
    const auto age = number_at(said, {"queue", "crm", "oldest_s"});
    const auto pending = number_at(said, {"egress", "crm", "pending"});
    if (pending == 0) return ok("nothing waits");
    const std::string seen = count(pending, "wait") + ", the oldest for " + span(age);
    if (age > hour_s)
        return warn(seen, "changes wait for GHL though the way is open",
                    "clinicctl status; journalctl -u clinic-syncd -p warning");
    return ok(seen);
}

Finding queue_dead(const Scene& scene) {
    const auto dead = number_at(scene.said(), {"egress", "crm", "dead"});
    if (dead == 0) return ok("none");
    return warn(count(dead, dead == 1 ? "change" : "changes"), "GHL refused changes twice, and they were set aside",
                "clinicctl sync dead list says why and what to do");
}

} // namespace clinic::check
