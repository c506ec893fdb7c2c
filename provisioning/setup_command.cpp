#include "provisioning/setup_command.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "crypto/base/clock.h"
#include "crypto/base/files.h"
#include "provisioning/answers.h"
#include "provisioning/check_command.h"
#include "provisioning/setup/handover.h"
#include "provisioning/setup/words_file.h"
#include "provisioning/setup_steps.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;
using setup::Progress;
using setup::Step;

constexpr std::size_t report_bytes_max = 1'048'576;
constexpr unsigned for_everybody = 0644;

struct Doing {
    Step step;
    StepFacts (*run)(const SetupDesk&);
};
constexpr std::array doings{Doing{Step::preflight, check_machine}, Doing{Step::claim, claim_box},
                            Doing{Step::terms, agree_terms},       Doing{Step::keys, keep_keys},
                            Doing{Step::feeds, hear_feeds},        Doing{Step::proof, prove_ways}};

std::filesystem::path place(const Call& call, const char* option, const char* usual) {
    return call.has(option) ? call.value(option) : usual;
}

std::filesystem::path state_folder(const Call& call) {
    return place(call, "--state", "/var/lib/clinic-edge/setup");
}

json to_json(const Progress& progress) {
    json all = json::array();
    for (const Step step : setup::steps)
        all.push_back(
            {{"step", setup::name(step)}, {"done_at", progress.is_done(step) ? json(progress.done_at(step)) : json{}}});
    return {{"v", 1}, {"finished", progress.is_complete()}, {"steps", std::move(all)}};
}

std::string view_progress(const json& said) {
    std::string text;
    int number = 0;
    for (const json& one : said.at("steps")) {
        const auto step = *setup::step_of(one.at("step").get<std::string>());
        const auto& at = one.at("done_at");
        text += "  " + std::to_string(++number) + "  " + (at.is_null() ? "to do  " : "done   ") + setup::title(step) +
                (at.is_null() ? "" : "  " + at.get<std::string>()) + "\n";
    }
    return text + (said.at("finished").get<bool>() ? "The setup is finished.\n" : "Go on with: clinicctl setup\n");
}

int show_status(const Call& call) {
    const auto progress = Progress::open(state_folder(call), false);
    if (!progress) return refuse("setup", progress.error());
    show(call, to_json(*progress), view_progress);
    return progress->is_complete() ? 0 : 1;
}

// Written again whenever all is done: the same set-up has the same bytes.
Result<void> write_handover(const SetupDesk& desk, const std::filesystem::path& folder) {
    const auto report = setup::report_of(desk.progress, desk.site.version);
    CLINIC_TRY(report);
    const auto key = setup::handover_key(desk.files.keys());
    CLINIC_TRY(key);
    const auto pdf = setup::as_pdf(*report, *key);
    CLINIC_TRY(pdf);
    CLINIC_TRY(base::write_durable(folder / "handover.pdf", base::as_bytes(*pdf), for_everybody));
    CLINIC_TRY(base::write_durable(folder / "handover.json", base::as_bytes(setup::signed_text(*report, *key)),
                                   for_everybody));
    desk.talk.line("");
    desk.talk.say("The box is set up. The hand-over, signed, is in " + folder.string() +
                  ": handover.pdf for people, handover.json for programs.");
    desk.talk.fact("Key of its signature", key->public_key());
    desk.talk.fact("To verify it", "clinicctl setup verify handover.json --key KEY");
    return {};
}

bool run_step(SetupDesk& desk, const Doing& doing) {
    desk.talk.begin(doing.step);
    auto facts = doing.run(desk);
    if (!facts) return false;
    const auto kept = desk.progress.finish(doing.step, std::move(*facts), base::SystemClock{}.now());
    if (!kept) desk.talk.stop(kept.error());
    return kept.has_value();
}

int run_steps(SetupDesk& desk, std::optional<Step> again, const std::filesystem::path& folder) {
    for (const auto& doing : doings) {
        const bool wanted = again ? doing.step == *again || doing.step == Step::proof : true;
        if (!wanted && desk.progress.is_done(doing.step)) continue;
        if (desk.progress.is_done(doing.step) && doing.step != again) {
            desk.talk.line("Step " + std::to_string(static_cast<int>(doing.step) + 1) + " of " +
                           std::to_string(setup::steps.size()) + ": done " + desk.progress.done_at(doing.step));
            continue;
        }
        if (!run_step(desk, doing)) return failed;
    }
    const auto written = write_handover(desk, folder);
    if (!written) desk.talk.stop(written.error());
    return written ? 0 : failed;
}

// nullopt: it was said what is wrong with them.
std::optional<setup::Answers> answers_of(const Call& call, std::optional<Step> again,
                                         const std::filesystem::path& templates) {
    const auto stands = Progress::open(state_folder(call), false);
    if (!stands) return static_cast<void>(refuse("setup", stands.error())), std::nullopt;
    const bool makes_words = again == Step::keys || !stands->is_done(Step::keys);
    setup::Faults faults;
    auto answers =
        setup::read_answers(call.value("--answers"), templates,
                            makes_words ? std::optional{stands->noted(setup::words_mark)} : std::nullopt, faults);
    for (const auto& fault : faults) std::fprintf(stderr, "clinicctl: setup: answers: %s\n", fault.c_str());
    if (!answers) std::fputs("clinicctl: setup: mend the file of answers; nothing was changed\n", stderr);
    return answers;
}

} // namespace

int set_up(const Call& call, const Client& client) {
    if (call.has("--status")) return show_status(call);
    const auto again = setup::step_of(call.value("--again"));
    if (call.has("--again") && !again) {
        std::fputs("clinicctl: setup: --again takes preflight, claim, terms, keys, feeds or proof\n", stderr);
        return failed;
    }
    const auto templates = place(call, "--templates", "/usr/share/clinic-edge/templates");
    std::optional<setup::Answers> answers;
    if (call.has("--answers") && !(answers = answers_of(call, again, templates))) return failed;
    auto progress = Progress::open(state_folder(call), true);
    if (!progress) return refuse("setup", progress.error());
    const Talk talk{!answers};
    setup::BoxFiles files{place(call, "--etc", "/etc/clinic-edge")};
    auto site = site_of(call, client);
    site.clinicd_settings = files.clinicd_settings();
    site.syncd_settings = files.syncd_settings();
    SetupDesk desk{
        client, talk, *progress, std::move(files), std::move(site), templates, answers ? &*answers : nullptr};
    return run_steps(desk, again, state_folder(call));
}

int verify_handover(const Call& call, const Client&) {
    const auto text = base::read_text(call.words[2], report_bytes_max);
    if (!text) return refuse("setup", text.error());
    const auto report = setup::verify(*text, call.value("--key"));
    if (!report) return refuse("setup", report.error());
    if (call.has("--json")) {
        print_json(*report);
        return 0;
    }
    for (const auto& one : setup::paragraphs_of(*report))
        std::printf(one.is_heading ? "\n%s%s\n" : "  %-20s %s\n", one.label.c_str(), one.text.c_str());
    std::puts(call.has("--key") ? "\nSigned by that key, and unchanged since."
                                : "\nUnchanged since it was signed. Compare the key with the box's own: --key KEY");
    return 0;
}

} // namespace clinic::provisioning
