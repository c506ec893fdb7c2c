// The ways out to GHL and to central operations, as clinic-syncd tried them for us: docs/syncd.md.
#include <algorithm>
#include <array>
#include <string_view>

#include "crypto/base/days.h"
#include "provisioning/check/looks.h"
#include "provisioning/check/scene.h"

namespace clinic::check {
namespace {

using diagnose::Said;
using diagnose::Step;
using diagnose::Way;

constexpr std::int64_t expiry_days_min = 7;

std::string place(const Way& way) {
    return way.host + ":" + std::to_string(way.port);
}

Finding unsaid() {
    return unknown("not said", "clinic-syncd did not say how this way is",
                   "ask again; journalctl -u clinic-syncd -n 50");
}

// A look at one of the two ways; one that is not set up is no fault here (setup.syncd).
Finding at(const Scene& scene, Way Said::*which, Finding (*look)(const Way&)) {
    const auto said = scene.ways_said();
    if (!said) return unsaid();
    const Way& way = (*said).*which;
    return way.configured ? look(way) : ok("not set up");
}

Finding names(const Way& way) {
    constexpr Literal ask_router =
        "see that the router runs; it is mended when this names an address: getent hosts services.leadconnectorhq.com";
    switch (way.dns) {
    case Step::ok: return ok(way.host);
    case Step::no_name:
        return fail(
            way.host, "there is no such name: the settings have it wrong, or the clinic's name server hides it",
            "see ghl.base and mqtt.host in clinic-syncd.json; have the name server of the clinic let it through");
    case Step::no_server:
    case Step::timeout: return fail(way.host, "the clinic's name server does not answer", ask_router);
    default: return fail(way.host, "the name cannot be found, and nobody says why", ask_router);
    }
}

Finding reached(const Way& way) {
    switch (way.tcp) {
    case Step::ok: return ok(place(way));
    case Step::refused:
        return fail(place(way), "the port is refused: nothing listens there, or a firewall refuses in its name",
                    "see host and port in clinic-syncd.json; have the clinic's firewall let the box out to that port");
    case Step::unreachable:
        return fail(place(way), "there is no route to it",
                    "see net.route; the router may have lost its own connection");
    case Step::timeout:
        return fail(place(way), "nobody answers: a firewall drops what we send, or the far side is down",
                    "have the clinic's firewall let the box out to that port; try the same from another machine");
    default: return fail(place(way), "no connection can be made", "try the same from another machine of the clinic");
    }
}

Finding shaken(const Way& way) {
    switch (way.tls) {
    case Step::ok:
    case Step::issuer:
    case Step::expired:
    case Step::not_yet: return ok("TLS");
    case Step::plain:
        return fail("no TLS", "something else answers in its place: a portal where one must log in, or a proxy",
                    "open a page in this network with a browser and see; have the box left out of the portal or proxy");
    case Step::cut:
        return fail("cut off", "the connection is cut while TLS begins, as firewalls do with what they do not like",
                    "have the clinic's firewall leave the connections of the box to this host alone");
    case Step::timeout:
        return fail("no answer", "the far side takes the connection and is silent when TLS begins",
                    "a firewall holds it, or long packets are lost: try ip link set dev eth0 mtu 1400");
    case Step::other_name:
        return fail(way.issuer, "the certificate is another host's: the name leads elsewhere, or a portal answers",
                    "see what the clinic's name server answers for this name; compare from another network");
    default:
        return fail(way.issuer, "the certificate or its proof is not as it must be",
                    "look closer: openssl s_client -connect HOST:PORT; see ghl.ca and mqtt.ca in clinic-syncd.json");
    }
}

Finding issued(const Way& way) {
    if (way.tls != Step::issuer) return ok(way.issuer);
    return fail(
        way.issuer, "its certificate comes from an authority that is not trusted here, as when a firewall opens TLS",
        "have the clinic's firewall not inspect the box's connections to this host, and look again: clinicctl check");
}

Finding lasting(const Way& way) {
    if (way.tls == Step::expired)
        return fail("expired", "the far side's certificate has expired",
                    "if clock.date is right it is theirs to renew: tell them");
    if (way.tls == Step::not_yet)
        return fail("not valid yet", "the far side's certificate begins in the future",
                    "see clock.date: most often it is our clock");
    const std::string said = base::ends_in(way.days_left);
    if (way.days_left >= 0 && way.days_left < expiry_days_min)
        return warn(said, "the far side's certificate ends soon", "it is theirs to renew: tell them");
    return ok(way.days_left < 0 ? "not told" : said);
}

// What a lane's code means, and which check tells it.
struct Meaning {
    std::string_view code, id;
    Outcome outcome;
    Literal cause, next;
};
constexpr std::array ghl_meanings{
    Meaning{"no_token", "ghl.token", Outcome::fail, "the token file cannot be read, or holds no token",
            "clinicctl ghl token, with a private integration token made in GHL"},
    Meaning{"unauthorized", "ghl.accepted", Outcome::fail,
            "GHL does not accept the token: it was taken back or replaced",
            "clinicctl ghl token, with a new private integration token from GHL"},
    Meaning{"scope", "ghl.scope", Outcome::fail, "the token lacks a scope",
            "give the integration its scopes in GHL (locations, contacts, custom fields); the token stays the same"},
    Meaning{"forbidden", "ghl.scope", Outcome::fail, "GHL denies this token what we ask for",
            "see the integration's scopes and its sub-account in GHL"},
    Meaning{"throttled", "ghl.limits", Outcome::warn, "GHL slows this account down: others use up its limit too",
            "it goes on by itself; see what else uses the account, or lower requests_per_second_max"},
    Meaning{"rate_budget", "ghl.limits", Outcome::warn, "this day's requests are used up but for what is urgent",
            "it goes on by itself tomorrow; see what else uses the account"},
    Meaning{"not_json", "ghl.service", Outcome::fail,
            "what answers is a page and no API: a portal, a proxy, or GHL's own fault",
            "see ghl.issuer; look at status.gohighlevel.com; it goes on by itself"},
    Meaning{"timeout", "ghl.service", Outcome::fail, "GHL takes the connection and does not answer in time",
            "look at status.gohighlevel.com; it goes on by itself"},
    Meaning{"cut_off", "ghl.service", Outcome::fail, "GHL's answers are cut off",
            "look at status.gohighlevel.com; a proxy or firewall may do it: see ghl.issuer"},
    Meaning{"too_long", "ghl.service", Outcome::fail, "GHL's answers are longer than they may be",
            "something else answers in its place: see ghl.issuer"},
    Meaning{"http_5", "ghl.service", Outcome::fail, "GHL has a fault of its own",
            "look at status.gohighlevel.com; it goes on by itself"},
    Meaning{"http_408", "ghl.service", Outcome::warn, "GHL asks to try again", "it goes on by itself"},
    Meaning{"http_409", "ghl.service", Outcome::warn, "GHL asks to try again", "it goes on by itself"},
    Meaning{"http_423", "ghl.service", Outcome::warn, "GHL asks to try again", "it goes on by itself"},
    Meaning{"http_425", "ghl.service", Outcome::warn, "GHL asks to try again", "it goes on by itself"},
    Meaning{"http_4", "ghl.location", Outcome::fail, "GHL does not know this location, or not by this token",
            "see ghl.location in both settings files; the token must be of that sub-account"},
    Meaning{"unprepared", "ghl.fields", Outcome::fail, "the box does not know the custom fields that it writes to",
            "clinicctl ghl prepare shows what the location has, and with --apply makes what is missing"},
    Meaning{"fields", "ghl.fields", Outcome::fail, "a field that the box writes to is missing in GHL, or was changed",
            "clinicctl ghl prepare shows which; put it back in GHL, or: clinicctl ghl prepare --apply"},
};
constexpr std::array mqtt_meanings{
    Meaning{"unauthorized", "mqtt.accepted", Outcome::fail, "the broker does not admit this box",
            "see certificate.device, and the broker's access list: the certificate's name must be the box's"},
    Meaning{"taken_over", "mqtt.alone", Outcome::fail, "another box comes to the broker under this box's name",
            "two boxes have one certificate, as after a disk was copied: find the other, and give it its own"},
    Meaning{"quota", "mqtt.limits", Outcome::warn, "the box's quota at the broker is used up",
            "raise it at the broker"},
    Meaning{"rate", "mqtt.limits", Outcome::warn, "the broker finds that the box speaks too often",
            "allow bursts of 20 messages and 10 a second at the broker"},
    Meaning{"too_large", "mqtt.limits", Outcome::warn, "the broker finds a message too large",
            "raise its largest packet to 64 KiB"},
    Meaning{"throttled", "mqtt.limits", Outcome::warn, "the broker is busy", "see its load; it goes on by itself"},
    Meaning{"state_file", "mqtt.numbers", Outcome::fail, "clinic-syncd cannot keep its numbers in its own folder",
            "see disk.space, and who owns the folder `state` of clinic-syncd.json"},
    Meaning{"timeout", "mqtt.service", Outcome::fail, "the broker takes the connection and does not answer in time",
            "see that the broker runs and how busy it is; it is tried again within a minute"},
    Meaning{
        "offline", "mqtt.service", Outcome::fail,
        "the broker ends the connection without a reason, as mosquitto does when another comes under the box's name",
        "see the broker's log for this box's name; it is tried again within a minute"},
};

// The first that the code begins with: the special ones stand above the general.
const Meaning* meaning_of(std::span<const Meaning> all, std::string_view code) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Meaning& one) { return code.starts_with(one.code); });
    return found == all.end() ? nullptr : &*found;
}

std::span<const Meaning> meanings_of(Way Said::*which) {
    return which == &Said::ghl ? std::span<const Meaning>{ghl_meanings} : std::span<const Meaning>{mqtt_meanings};
}

Finding lane(const Scene& scene, Way Said::*which, std::string_view id) {
    const auto said = scene.ways_said();
    if (!said) return unsaid();
    const Way& way = (*said).*which;
    if (!way.configured) return ok("not set up");
    const Meaning* meaning = way.state == "up" ? nullptr : meaning_of(meanings_of(which), way.code);
    if (meaning == nullptr || meaning->id != id) return ok("yes");
    return {meaning->outcome, way.code, meaning->cause, meaning->next};
}

// What no other check has a word for.
Finding open_lane(const Scene& scene, Way Said::*which) {
    const auto said = scene.ways_said();
    if (!said) return unsaid();
    const Way& way = (*said).*which;
    if (!way.configured) return ok("not set up");
    if (way.state == "up") return ok("open");
    if (meaning_of(meanings_of(which), way.code) != nullptr) return ok("closed for what is said above");
    return warn(way.state + ", " + way.code, "the way can be walked and is not open yet: it is tried again by itself",
                "ask again in a minute; then: journalctl -u clinic-syncd -n 50");
}

} // namespace

Finding syncd_answers(const Scene& scene) {
    if (scene.syncd_settings && text_at(*scene.syncd_settings, {"diagnose"}).empty())
        return unknown("not to be asked", "clinic-syncd was not told where to listen for clinicctl: older settings",
                       "add \"diagnose\": \"/run/clinic-edge/sync/ask.sock\" to clinic-syncd.json, then restart it");
    const auto* answer = scene.ways.wait(std::chrono::steady_clock::now() + ways_max);
    if (answer == nullptr || (!*answer && answer->error().code == Errc::timeout))
        return fail("silent", "clinic-syncd runs and does not answer",
                    "journalctl -u clinic-syncd -n 50; its watchdog starts it anew within a minute, else restart it");
    if (*answer) return ok("answers");
    if (answer->error().code == Errc::unauthorized)
        return unknown("not for this user", "clinic-syncd answers root alone", "run clinicctl as root");
    if (answer->error().code == Errc::not_found)
        return fail(
            "down", "clinic-syncd does not run, or listens elsewhere for clinicctl: nothing leaves",
            "systemctl start clinic-syncd; see `diagnose` in clinic-syncd.json; journalctl -u clinic-syncd -n 50");
    return fail("no answer that is understood", "clinic-syncd hung up, or is of another version than clinicctl",
                "journalctl -u clinic-syncd -n 50; use the clinicctl of the same package");
}

Finding syncd_heard(const Scene& scene) {
    const auto said = scene.said();
    const std::string state = text_at(said, {"lanes", "program", "state"});
    if (state == "up") return ok("clinicd hears it");
    if (state == "unknown") return ok("clinicd has just started");
    return fail("silent for more than 3 s", "clinic-syncd runs, and clinicd does not hear it: nothing leaves",
                "see peer in clinicd.json and who owns egress.sock; then restart both programs");
}

Finding ghl_names(const Scene& scene) {
    return at(scene, &Said::ghl, names);
}
Finding ghl_reached(const Scene& scene) {
    return at(scene, &Said::ghl, reached);
}
Finding ghl_tls(const Scene& scene) {
    return at(scene, &Said::ghl, shaken);
}
Finding ghl_issuer(const Scene& scene) {
    return at(scene, &Said::ghl, issued);
}
Finding ghl_certificate(const Scene& scene) {
    return at(scene, &Said::ghl, lasting);
}
Finding ghl_asked(const Scene& scene) {
    const auto said = scene.ways_said();
    if (!said) return unsaid();
    if (!said->ghl.configured) return ok("not set up");
    if (said->verdict) return ok("just now");
    return unknown("no verdict", "GHL was not asked in time: each request needs clinicd's word, and GHL's answer",
                   "see clinicd.answers; ask again");
}
Finding ghl_token(const Scene& scene) {
    return lane(scene, &Said::ghl, "ghl.token");
}
Finding ghl_accepted(const Scene& scene) {
    return lane(scene, &Said::ghl, "ghl.accepted");
}
Finding ghl_scope(const Scene& scene) {
    return lane(scene, &Said::ghl, "ghl.scope");
}
Finding ghl_location(const Scene& scene) {
    return lane(scene, &Said::ghl, "ghl.location");
}
// Named by clinicd's status; a pipeline or calendar that is gone closes nothing.
Finding ghl_fields(const Scene& scene) {
    auto found = lane(scene, &Said::ghl, "ghl.fields");
    std::string names;
    const auto lanes = object_at(scene.said(), {"lanes"});
    const auto faults = lanes.find("location");
    if (faults == lanes.end()) return found;
    for (const auto& one : *faults)
        names += (names.empty() ? "" : ", ") + text_at(one, {"part"}) + " " + text_at(one, {"lack"});
    if (names.empty()) return found;
    if (found.outcome == Outcome::ok)
        return warn(names, "what is configured is not so in GHL", "clinicctl ghl prepare shows what the location has");
    found.said = names;
    return found;
}
Finding ghl_limits(const Scene& scene) {
    return lane(scene, &Said::ghl, "ghl.limits");
}
Finding ghl_service(const Scene& scene) {
    return lane(scene, &Said::ghl, "ghl.service");
}
Finding ghl_open(const Scene& scene) {
    return open_lane(scene, &Said::ghl);
}

Finding mqtt_names(const Scene& scene) {
    return at(scene, &Said::mqtt, names);
}
Finding mqtt_reached(const Scene& scene) {
    return at(scene, &Said::mqtt, reached);
}
Finding mqtt_tls(const Scene& scene) {
    return at(scene, &Said::mqtt, shaken);
}
Finding mqtt_issuer(const Scene& scene) {
    return at(scene, &Said::mqtt, issued);
}
Finding mqtt_certificate(const Scene& scene) {
    return at(scene, &Said::mqtt, lasting);
}
Finding mqtt_accepted(const Scene& scene) {
    return lane(scene, &Said::mqtt, "mqtt.accepted");
}
Finding mqtt_alone(const Scene& scene) {
    return lane(scene, &Said::mqtt, "mqtt.alone");
}
Finding mqtt_limits(const Scene& scene) {
    return lane(scene, &Said::mqtt, "mqtt.limits");
}
Finding mqtt_numbers(const Scene& scene) {
    return lane(scene, &Said::mqtt, "mqtt.numbers");
}
Finding mqtt_service(const Scene& scene) {
    return lane(scene, &Said::mqtt, "mqtt.service");
}
Finding mqtt_open(const Scene& scene) {
    return open_lane(scene, &Said::mqtt);
}

} // namespace clinic::check
