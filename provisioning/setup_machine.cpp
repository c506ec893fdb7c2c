// Steps 1 and 2: is the machine fit, and whose box it is.
#include <array>
#include <ctime>
#include <nlohmann/json.hpp>

#include "crypto/base/clock.h"
#include "provisioning/setup/sides.h"
#include "provisioning/setup_steps.h"
#include "provisioning/tls_commands.h"
#include "systemd/manager.h"

namespace clinic::provisioning {
namespace {

using check::Outcome;
using nlohmann::json;
using setup::Step;

constexpr int open_seconds_max = 60; // a new store is made within a second or two

// The box has its name, which its page's authority must be for: made now, before anybody trusts the one without it.
void name_the_page(const SetupDesk& desk) {
    const auto page = keep_page(desk.files.etc());
    if (!page)
        desk.talk.say(std::string{"The page has no certificate for this name yet: "} + page.error().what.c_str() +
                      ". It is tried again each quarter of an hour.");
    else if (page->kept == Kept::trusted)
        desk.talk.say(
            "The page's authority is made anew, for this name: whoever trusted the one before trusts this one "
            "once more (clinicctl tls show).");
}

std::string known_of(const json& facts, const char* key) {
    const auto found = facts.find(key);
    return found != facts.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

// A line of the questions: the key in the file of answers, and the words.
struct Question {
    const char *key, *words;
};

bool ask_all(const Talk& talk, const json& known, json& into, std::initializer_list<Question> questions) {
    for (const auto& one : questions) {
        const auto typed = talk.ask(one.words, known_of(known, one.key));
        if (!typed) return false;
        into[one.key] = *typed;
    }
    return true;
}

// In the form of the file, so that both are read by the same rules. nullopt: the input ended.
std::optional<json> ask_claim(const Talk& talk, const json& known, bool by_grant) {
    json typed = json::object(), ghl = json::object();
    const json known_ghl = known.value("ghl", json::object()), known_ops = known.value("ops", json{});
    if (!ask_all(talk, known, typed,
                 {{"organization", "Organization (the practice group)"},
                  {"clinic", "Clinic (this place)"},
                  {"box", "Name of this box (a-z, 0-9, -)"},
                  {"zone", "Time zone (as America/Denver)"}}))
        return std::nullopt;
    talk.say("GHL: the sub-account of this clinic.");
    ghl["token_file"] = nullptr;
    if (!ask_all(talk, known_ghl, ghl, {{"base", "Address of GHL's API"}, {"location", "Location id"}}) ||
        (!by_grant && !ask_all(talk, known_ghl, ghl, {{"token_file", "File with the token"}})))
        return std::nullopt;
    typed["ghl"] = std::move(ghl);
    typed["ops"] = nullptr;
    const auto with_ops = talk.agrees("Do central operations look after this box?");
    if (!with_ops) return std::nullopt;
    if (!*with_ops) return typed;
    json ops = json::object();
    if (!ask_all(talk, known_ops.is_object() ? known_ops : json::object(), ops,
                 {{"host", "Host of their broker"},
                  {"ca_file", "File with its authority (PEM)"},
                  {"certificate_file", "File with the box's certificate (PEM)"},
                  {"key_file", "File with the certificate's key"}}))
        return std::nullopt;
    if (known_ops.is_object() && known_ops.contains("port")) ops["port"] = known_ops["port"];
    typed["ops"] = std::move(ops);
    return typed;
}

// `prefix`: what is written at last, whoever said it.
json facts_of(const setup::Claim& claim, const std::string& prefix) {
    json facts{{"organization", claim.organization},
               {"clinic", claim.clinic},
               {"box", claim.box},
               {"zone", claim.zone},
               {"ghl",
                {{"base", claim.ghl.base},
                 {"location", claim.ghl.location},
                 {"tag_prefix", prefix},
                 {"fields", claim.ghl.fields}}},
               {"ops", nullptr}};
    if (claim.ops) facts["ops"] = {{"host", claim.ops->host}, {"port", claim.ops->port}};
    return facts;
}

void show_back(const Talk& talk, const setup::Claim& claim, bool by_grant) {
    talk.fact("Organization", claim.organization);
    talk.fact("Clinic", claim.clinic);
    talk.fact("Box", claim.box);
    talk.fact("Time zone", claim.zone);
    talk.fact("GHL", claim.ghl.base + ", location " + claim.ghl.location);
    if (by_grant) talk.fact("Let in by GHL", "by the grant that is there (ghl.oauth); a token is not used");
    talk.fact("Central operations", claim.ops ? claim.ops->host + ":" + std::to_string(claim.ops->port)
                                              : "none: nobody outside sees how the box is");
}

// Until it is understood, and the person says that it is right. nullopt: the input ended.
std::optional<setup::Claim> agree_claim(const SetupDesk& desk, bool by_grant) {
    json known = desk.progress.facts(Step::claim);
    if (!known.contains("ghl")) known["ghl"] = {{"base", "https://services.leadconnectorhq.com"}};
    for (;;) {
        const auto typed = ask_claim(desk.talk, known, by_grant);
        if (!typed) return std::nullopt;
        known = *typed;
        setup::Faults faults;
        auto claim = setup::read_claim(*typed, faults);
        for (const auto& fault : faults) desk.talk.say("Not understood: " + fault);
        if (!faults.empty()) continue;
        show_back(desk.talk, claim, by_grant);
        const auto right = desk.talk.agrees("Is this right?");
        if (!right) return std::nullopt;
        if (*right) return claim;
    }
}

// Each only where the one before it is done.
Result<void> write_down(const SetupDesk& desk, const setup::Claim& claim) {
    CLINIC_TRY(desk.files.make_keys(desk.progress));
    CLINIC_TRY(desk.files.seal_secrets(claim));
    CLINIC_TRY(desk.files.write_settings(claim));
    return desk.files.allow_first_store(desk.progress);
}

} // namespace

// Both programs read their settings and keys at their start, and the others the page's name.
bool restart_programs(const Talk& talk) {
    constexpr std::array both{"clinicd.service", "clinic-syncd.service"};
    constexpr std::array others{"clinic-edge-observer.service", "clinic-edge-mdns.service"};
    const auto done = systemd::restart_units({}, both, {.wait = systemd::unit_start_max});
    static_cast<void>(systemd::restart_units({}, others, {.only_running = true}));
    if (done) return true;
    if (done.error().code == Errc::unauthorized)
        talk.stop("clinicd and clinic-syncd were not started anew: only root may", "become root: sudo -i");
    else if (done.error().code == Errc::offline) // nor on its own socket, which needs no bus
        talk.stop("systemd does not answer, with a bus or without: clinicd and clinic-syncd were not started anew",
                  "start the machine anew: reboot");
    else
        talk.stop("clinicd and clinic-syncd could not be started with the new settings",
                  "journalctl -u clinicd -u clinic-syncd -n 50 says what they do not like");
    return false;
}

bool records_are_open(const SetupDesk& desk) {
    json last;
    for (int i = 0; i < 10 * open_seconds_max; ++i) {
        if (const auto status = desk.client.try_ask("status", json::object())) {
            last = *status;
            if (last.contains("store") && last["store"].value("open", false)) return true;
        }
        const timespec tenth{0, 100'000'000};
        nanosleep(&tenth, nullptr);
    }
    if (last.is_null())
        desk.talk.stop("clinicd does not answer", "look at: journalctl -u clinicd -n 50");
    else
        desk.talk.stop("the records did not open: the box is in mode " + last.value("mode", std::string{"unknown"}),
                       "clinicctl status says why, and what to do");
    return false;
}

StepFacts check_machine(const SetupDesk& desk) {
    const auto lines = setup::look_at_machine(desk.site);
    json look = json::array();
    int well = 0;
    for (const auto& line : lines) {
        if (line.found.outcome == Outcome::ok) ++well;
        if (line.found.outcome == Outcome::fail) {
            desk.talk.stop(std::string{line.check->id} + ": " + setup::cause_of(line), line.found.next.c_str());
            return std::nullopt;
        }
        if (line.found.outcome != Outcome::warn && line.found.outcome != Outcome::unknown) continue;
        if (std::string_view{line.check->id} == "setup.clinicd") continue; // that it has no name yet is why we are here
        desk.talk.say(std::string{"Look later: "} + line.check->id + ": " + setup::cause_of(line));
        look.push_back({{"id", line.check->id}, {"cause", line.found.cause.c_str()}});
    }
    desk.talk.say("The machine is fit: " + std::to_string(well) + " of " + std::to_string(lines.size()) +
                  " checks are ok.");
    return json{{"ok", well}, {"checks", lines.size()}, {"look", std::move(look)}};
}

StepFacts claim_box(const SetupDesk& desk) {
    const auto before = desk.files.ghl();
    if (!before) return desk.talk.stop(before.error()), std::nullopt;
    const bool by_grant = before->contains("oauth");
    const auto claim = desk.answers != nullptr ? std::optional{desk.answers->claim} : agree_claim(desk, by_grant);
    if (!claim) return desk.talk.stop("the input ended before the box was named", ""), std::nullopt;
    if (desk.answers != nullptr) show_back(desk.talk, *claim, by_grant);
    if (const auto written = write_down(desk, *claim); !written) return desk.talk.stop(written.error()), std::nullopt;
    name_the_page(desk);
    desk.talk.say("The keys are made, and the settings are written. The programs start with them.");
    if (!restart_programs(desk.talk) || !records_are_open(desk)) {
        if (!desk.files.take_permission_back())
            desk.talk.say("The file make-store in the records' folder cannot be taken away: remove it by hand.");
        return std::nullopt;
    }
    if (const auto known = desk.progress.note("first_store", "made"); !known)
        return desk.talk.stop(known.error()), std::nullopt;
    desk.talk.say("The records are open.");
    const auto written = desk.files.ghl();
    if (!written) return desk.talk.stop(written.error()), std::nullopt;
    return facts_of(*claim, written->value("tag_prefix", std::string{}));
}

} // namespace clinic::provisioning
