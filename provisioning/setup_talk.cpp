#include "provisioning/setup_talk.h"

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "provisioning/answers.h"

namespace clinic::provisioning {
namespace {

constexpr std::size_t label_columns = 22, prompt_columns = 48;

std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == ' ' || text.back() == '\r' || text.back() == '\t')) text.pop_back();
    text.erase(0, std::min(text.find_first_not_of(" \t"), text.size()));
    return text;
}

} // namespace

// Others read from the same terminal, past the C library: nothing may be read ahead.
Talk::Talk(bool asks) : asks_{asks} {
    if (asks_) std::setvbuf(stdin, nullptr, _IONBF, 0);
}

void Talk::begin(setup::Step step) const {
    std::printf("\nStep %d of %zu: %s\n", static_cast<int>(step) + 1, setup::steps.size(), setup::title(step));
    std::fflush(stdout);
}

void Talk::say(const std::string& text) const {
    std::printf("  %s", wrapped(text, 2).c_str());
    std::fflush(stdout);
}

void Talk::fact(const std::string& label, const std::string& value) const {
    std::string begun = "  " + label;
    begun.resize(std::max(label_columns, begun.size() + 1), ' ');
    std::printf("%s%s", begun.c_str(), wrapped(value, begun.size()).c_str());
    std::fflush(stdout);
}

void Talk::line(const std::string& text) const {
    std::printf("%s\n", text.c_str());
    std::fflush(stdout);
}

std::optional<std::string> Talk::ask(const std::string& question, const std::string& known) const {
    for (;;) {
        const bool fits = question.size() + known.size() <= prompt_columns; // so that there is room to type
        std::printf("  %s%s%s: ", question.c_str(), fits || known.empty() ? "" : "\n ",
                    known.empty() ? "" : (" [" + known + "]").c_str());
        std::fflush(stdout);
        std::string typed;
        if (!std::getline(std::cin, typed)) {
            std::printf("\n");
            return std::nullopt;
        }
        typed = trimmed(std::move(typed));
        if (!typed.empty()) return typed;
        if (!known.empty()) return known;
    }
}

std::optional<std::string> Talk::choose(const std::string& question, const std::vector<std::string>& words,
                                        const std::string& known) const {
    std::string all;
    for (const auto& word : words) all += (all.empty() ? "" : ", ") + word;
    for (;;) {
        auto typed = ask(question + " (" + all + ")", known);
        if (!typed || std::find(words.begin(), words.end(), *typed) != words.end()) return typed;
        say("One of these, please: " + all);
    }
}

std::optional<bool> Talk::agrees(const std::string& question) const {
    const auto typed = choose(question, {"yes", "no"});
    return typed ? std::optional{*typed == "yes"} : std::nullopt;
}

void Talk::stop(const std::string& what, const std::string& next) const {
    std::fflush(stdout);
    std::fprintf(stderr, "\nStopped: %s", wrapped(what, 9).c_str());
    if (!next.empty()) std::fprintf(stderr, "Next:    %s", wrapped(next, 9).c_str());
    std::fprintf(stderr, "Then:    %s", wrapped("run clinicctl setup again: it goes on where it stopped.", 9).c_str());
}

void Talk::stop(const Error& why) const {
    stop(why.what.c_str(), why.remedy.c_str());
}

} // namespace clinic::provisioning
