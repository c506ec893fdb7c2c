// Step 6: a marked test person goes to GHL and a test event to central operations, and both are seen to have been
// taken, by the box's own books.
#include <sodium.h>

#include <chrono>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>

#include "provisioning/setup/sides.h"
#include "provisioning/setup_steps.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;
using setup::Step;

using Clock = std::chrono::steady_clock;     // the machine's date may be set meanwhile
constexpr std::chrono::seconds ways_max{30}; // after a start the lanes need a moment
constexpr std::chrono::seconds sent_max{60};
constexpr const char* number_mark = "CE-TEST-";

void pause() {
    const timespec half{0, 500'000'000};
    nanosleep(&half, nullptr);
}

void show(const Talk& talk, const setup::Ways& ways, bool with_ops) {
    std::string text = setup::view(ways.ghl) + (with_ops ? setup::view(ways.ops) : std::string{});
    text.pop_back();
    talk.line(text);
}

// Looked at until both are open, or the time is over: what stands in the way then is the one to name.
std::unique_ptr<setup::Ways> open_ways(const SetupDesk& desk, bool with_ops) {
    std::unique_ptr<setup::Ways> ways;
    const auto until = Clock::now() + ways_max;
    do {
        ways = setup::look_at_ways(desk.site, with_ops);
        if (ways->ghl.trouble == nullptr && ways->ops.trouble == nullptr) break;
        pause();
    } while (Clock::now() < until);
    show(desk.talk, *ways, with_ops);
    const auto* trouble = ways->ghl.trouble != nullptr ? ways->ghl.trouble : ways->ops.trouble;
    if (trouble == nullptr) return ways;
    desk.talk.stop(std::string{trouble->check->id} + ": " + setup::cause_of(*trouble), trouble->found.next.c_str());
    return nullptr;
}

// Known before it is sent, until the proof is finished: a cut does not make a second person, and what GHL took in an
// earlier proof is no answer in this one.
std::optional<std::string> test_number(const SetupDesk& desk) {
    if (auto known = desk.progress.noted(setup::test_person); !known.empty()) return known;
    std::string number = number_mark;
    constexpr std::string_view digits = "0123456789ABCDEF";
    for (int i = 0; i < 12; ++i) number += digits[randombytes_uniform(16)];
    if (const auto known = desk.progress.note(setup::test_person, number); !known)
        return desk.talk.stop(known.error()), std::nullopt;
    return number;
}

bool import(const SetupDesk& desk, const char* kind, const std::string& text) {
    if (desk.client.ask("import", {{"kind", kind}}, text)) return true;
    desk.talk.stop("the test person could not be stored", "clinicctl status says how the box is");
    return false;
}

// Why nobody can be sent as things are; empty: somebody can.
std::string why_none(const json& basis) {
    const auto in_effect = basis.value("in_effect", std::string{});
    if (in_effect == "off") return "no legal basis is in effect";
    if (in_effect == "deid") return "the legal basis deid sends no person to GHL";
    if (basis.value("unlinked", std::string{}) != "shell") return "a patient without a contact waits for one (park)";
    return {};
}

bool wait(const std::function<bool()>& is_there) {
    for (const auto until = Clock::now() + sent_max; Clock::now() < until; pause())
        if (is_there()) return true;
    return is_there();
}

StepFacts send_person(const SetupDesk& desk, const setup::Ways& ways) {
    json facts{{"steps", setup::to_json(ways.ghl)}, {"sent", false}};
    const auto basis = desk.client.ask("basis-show", json::object());
    if (!basis) return desk.talk.stop("clinicd does not say what the legal basis is", "clinicctl status"), std::nullopt;
    if (const auto why = why_none((*basis)["data"]); !why.empty()) {
        desk.talk.say("GHL takes the box's token. No test person is sent: " + why + ".");
        facts["why"] = why;
        return facts;
    }
    const auto number = test_number(desk);
    if (!number ||
        !import(desk, "patients", "record_number,family_name,given_name\n" + *number + ",Zzsetup,Zztest\n") ||
        !import(desk, "consents", "record_number,scope,state\n" + *number + ",crm_sync,granted\n"))
        return std::nullopt;
    json seen;
    const bool taken = wait([&] {
        const auto said = desk.client.try_ask("setup-person-look", {{"number", *number}});
        if (said) seen = *said;
        return seen.is_object() && seen.value("delivered", false) && !seen.value("waits", true);
    });
    if (!taken) {
        desk.talk.stop("the test person was not taken by GHL within a minute",
                       "clinicctl check names what stands in the way; clinicctl sync dead list what GHL refused");
        return std::nullopt;
    }
    facts["sent"] = true;
    facts["attempts"] = seen["attempts"];
    for (const json& one : seen["attempts"])
        desk.talk.say("GHL: " + one.value("route", std::string{}) + " " + one.value("result", std::string{}) + " " +
                      std::to_string(one.value("status", 0)));
    desk.talk.say("GHL accepted the test person. Its contact has a first name that begins with p_: delete it there.");
    return facts;
}

StepFacts send_event(const SetupDesk& desk, const setup::Ways& ways) {
    const auto raised = desk.client.ask("setup-event", json::object());
    if (!raised)
        return desk.talk.stop("no test event could be made", "clinicctl status says how the box is"), std::nullopt;
    const bool taken = wait([&] {
        const auto said = desk.client.try_ask("setup-event-look", {{"after", (*raised)["data"].at("after")}});
        return said && said->value("acknowledged", false);
    });
    if (!taken) {
        desk.talk.stop("the broker did not acknowledge the test event within a minute",
                       "clinicctl check names what stands in the way");
        return std::nullopt;
    }
    desk.talk.say("Central operations: the broker acknowledged the test event (E3101).");
    return json{{"steps", setup::to_json(ways.ops)}, {"acknowledged", true}};
}

} // namespace

StepFacts prove_ways(const SetupDesk& desk) {
    const bool with_ops = desk.progress.facts(Step::claim).value("ops", json{}).is_object();
    const auto ways = open_ways(desk, with_ops);
    if (!ways) return std::nullopt;
    if (!know_fields(desk)) return std::nullopt;
    const auto ghl = send_person(desk, *ways);
    if (!ghl) return std::nullopt;
    json facts{{"ghl", *ghl}, {"ops", nullptr}};
    if (!with_ops) return facts;
    const auto ops = send_event(desk, *ways);
    if (!ops) return std::nullopt;
    facts["ops"] = *ops;
    return facts;
}

} // namespace clinic::provisioning
