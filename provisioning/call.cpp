#include "provisioning/call.h"

#include <algorithm>

namespace clinic::provisioning {
namespace {

std::string_view name_of(std::string_view option) {
    return option.substr(0, option.find('='));
}

std::string_view find(Options options, std::string_view name) {
    const auto found = std::find_if(options.begin(), options.end(), [&](auto one) { return name_of(one) == name; });
    return found == options.end() ? std::string_view{} : *found;
}

// What was typed may be a name that began with two dashes: only what looks like an option is said again.
Objection unknown(std::string_view name) {
    const bool sayable = name.size() <= 24 && std::all_of(name.begin(), name.end(), [](char letter) {
                             return letter == '-' || (letter >= 'a' && letter <= 'z');
                         });
    return sayable ? "there is no option " + std::string{name} + " here" : "there is no such option";
}

} // namespace

bool Call::has(std::string_view option) const {
    return std::any_of(options.begin(), options.end(), [&](const auto& one) { return one.first == option; });
}

std::string Call::value(std::string_view option) const {
    const auto found =
        std::find_if(options.begin(), options.end(), [&](const auto& one) { return one.first == option; });
    return found == options.end() ? std::string{} : found->second;
}

std::vector<std::string> Call::values(std::string_view option) const {
    std::vector<std::string> all;
    for (const auto& [name, value] : options)
        if (name == option) all.push_back(value);
    return all;
}

Objection parse(std::span<const std::string> arguments, Options known, Call& call) {
    bool words_only = false;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string& typed = arguments[i];
        if (words_only || !typed.starts_with("-")) {
            call.words.push_back(typed);
            continue;
        }
        if ((words_only = typed == "--")) continue;
        const std::string name{name_of(typed)};
        const bool joined = name.size() < typed.size();
        const auto option = find(known, name);
        if (option.empty()) return unknown(name);
        const bool wants = name_of(option).size() < option.size();
        if (joined && !wants) return name + " takes no value";
        if (!joined && wants && i + 1 == arguments.size()) return name + " lacks its value";
        if (joined)
            call.options.emplace_back(name, typed.substr(name.size() + 1));
        else
            call.options.emplace_back(name, wants ? arguments[++i] : "");
    }
    return {};
}

Objection check(const Call& call, Options allowed) {
    for (const auto& [name, value] : call.options) {
        const auto option = find(allowed, name);
        if (option.empty()) return unknown(name);
        if (!option.ends_with("=*") && call.values(name).size() > 1) return name + " is given twice";
    }
    return {};
}

} // namespace clinic::provisioning
