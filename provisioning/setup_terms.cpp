// Step 3: the template of the clinic's kind, and the legal basis with its evidence.
#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "provisioning/setup_steps.h"
#include "sync/envelope/names.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;
using setup::Step;

constexpr std::size_t evidence_bytes_max = 64 * 1'048'576;

void show_template(const Talk& talk, const setup::Template& chosen) {
    talk.fact("Template", chosen.title);
    std::string bases = "off";
    for (const auto& one : chosen.bases) bases += ", " + one;
    talk.fact("Legal bases", bases);
    talk.fact("Kept", "quarantine " + std::to_string(chosen.kept.quarantine_days) + " days, dead letters " +
                          std::to_string(chosen.kept.dead_letter_days) + " days, what left " +
                          std::to_string(chosen.kept.ledger_years) + " years; records until they are erased");
    talk.say("In GHL the field ce_stage says how far somebody is. Have a workflow there move the opportunity:");
    for (const std::string stage : envelope::Names<envelope::Stage>::table) // as people go through them
        talk.fact("  " + stage, chosen.pipeline.at(stage));
    talk.say("What the tags mean:");
    for (const auto& [word, meaning] : chosen.vocabulary) talk.fact("  " + word, meaning);
    talk.say("What the practice system's words for an appointment mean:");
    for (const auto& [word, status] : chosen.status_words) talk.fact("  " + word, status);
}

// In the form of the file. nullopt: the input ended.
std::optional<json> ask_terms(const SetupDesk& desk, const json& known) {
    const json basis = known.value("basis", json::object());
    const auto kind = desk.talk.choose("Kind of clinic", setup::list_templates(desk.templates),
                                       known.value("template", json::object()).value("id", std::string{}));
    if (!kind) return std::nullopt;
    setup::Faults faults;
    const auto chosen = setup::read_template(desk.templates, *kind, faults);
    if (!chosen) return json{{"template", *kind}, {"basis", {{"mode", "off"}}}};
    show_template(desk.talk, *chosen);
    auto words = chosen->bases;
    words.insert(words.begin(), "off");
    const auto mode = desk.talk.choose("Legal basis", words, basis.value("mode", std::string{}));
    if (!mode) return std::nullopt;
    json typed{{"template", *kind}, {"basis", {{"mode", *mode}}}};
    if (*mode == "off") return typed;
    const auto evidence = desk.talk.ask("File with its evidence, or none", *mode == "baa" ? "" : "none");
    if (!evidence) return std::nullopt;
    if (*evidence != "none") typed["basis"]["evidence_file"] = *evidence;
    const auto expires = desk.talk.ask("Its last day (YYYY-MM-DD), or none", *mode == "baa" ? "" : "none");
    if (!expires) return std::nullopt;
    if (*expires != "none") typed["basis"]["expires"] = *expires;
    const auto unlinked =
        desk.talk.choose("A patient without a contact in GHL: wait for one, or make one without a name",
                         {"park", "shell"}, chosen->unlinked);
    if (!unlinked) return std::nullopt;
    typed["unlinked"] = *unlinked;
    return typed;
}

std::optional<setup::Terms> agreed(const SetupDesk& desk) {
    const json known = desk.progress.facts(Step::terms);
    for (;;) {
        const auto typed = ask_terms(desk, known);
        if (!typed) return std::nullopt;
        setup::Faults faults;
        auto terms = setup::read_terms(*typed, desk.templates, faults);
        if (faults.empty()) return terms;
        for (const auto& fault : faults) desk.talk.say("Not understood: " + fault);
    }
}

// As `basis set` does it. Nothing: clinicd refused, and it was said.
std::optional<json> set_basis(const SetupDesk& desk, const setup::Terms& terms) {
    std::string evidence;
    if (terms.evidence_file) {
        auto read = base::read_text(*terms.evidence_file, evidence_bytes_max);
        if (!read)
            return desk.talk.stop("the evidence of the legal basis cannot be read", "see its file"), std::nullopt;
        evidence = std::move(*read);
    }
    json args{{"mode", terms.basis}};
    if (!terms.expires.empty()) args["expires"] = terms.expires;
    const auto set = desk.client.ask("basis-set", args, evidence);
    const auto unlinked = set ? desk.client.ask("policy-unlinked", {{"mode", terms.unlinked}}) : std::nullopt;
    if (!unlinked) {
        desk.talk.stop("the legal basis was not taken", "see above what clinicd says");
        return std::nullopt;
    }
    return (*unlinked)["data"];
}

} // namespace

StepFacts agree_terms(const SetupDesk& desk) {
    const auto terms = desk.answers != nullptr ? std::optional{desk.answers->terms} : agreed(desk);
    if (!terms) return desk.talk.stop("the input ended before the legal basis was set", ""), std::nullopt;
    setup::Faults faults;
    const auto chosen = setup::read_template(desk.templates, terms->template_id, faults);
    if (!chosen) return desk.talk.stop(faults.front(), "choose another, or install the package again"), std::nullopt;
    const auto basis = set_basis(desk, *terms);
    if (!basis) return std::nullopt;
    if (!desk.client.ask("template-take", chosen->as_written()))
        return desk.talk.stop("the template was not taken", "see above what clinicd says"), std::nullopt;
    json facts{{"template", chosen->as_written()},
               {"basis", {{"mode", terms->basis}, {"in_effect", basis->value("in_effect", std::string{})}}},
               {"unlinked", terms->unlinked}};
    for (const char* key : {"expires", "last_day", "evidence"})
        if (basis->contains(key) && !(*basis)[key].get<std::string>().empty()) facts["basis"][key] = (*basis)[key];
    desk.talk.fact("Template", chosen->title);
    desk.talk.fact("Legal basis", facts["basis"]["in_effect"].get<std::string>() +
                                      (facts["basis"].contains("last_day")
                                           ? ", to the end of " + facts["basis"]["last_day"].get<std::string>()
                                           : std::string{}));
    return facts;
}

} // namespace clinic::provisioning
