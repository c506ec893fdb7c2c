#include "provisioning/template_command.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "provisioning/answers.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

constexpr std::size_t label_width = 18;

std::string line(const std::string& label, const std::string& text) {
    std::string padded = "  " + label;
    padded.resize(std::max(padded.size() + 2, label_width), ' ');
    return wrapped(padded + text, label_width);
}

} // namespace

std::string view_template(const json& said) {
    const json& kept = said.at("retention");
    std::string out;
    if (said.at("title").is_string()) {
        out += said.at("title").get<std::string>() + "\nWhat the tags mean:\n";
        for (const auto& [word, meaning] : said.at("vocabulary").items()) out += line(word, meaning.get<std::string>());
    } else {
        out += "No template was chosen: clinicctl setup --again terms\n";
    }
    return out + "How long things are kept:\n" + line("quarantine", kept.at("quarantine_days").dump() + " days") +
           line("dead letters", kept.at("dead_letter_days").dump() + " days") +
           line("what left", kept.at("ledger_years").dump() + " years") + line("records", "until they are erased");
}

int template_show(const Call& call, const Client& client) {
    const auto answer = client.ask("template-show", json::object());
    if (!answer) return failed;
    show(call, (*answer)["data"], view_template);
    return exit_of(*answer);
}

} // namespace clinic::provisioning
