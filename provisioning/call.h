// What was typed, read against the options that there are: an option that no command or not this one knows is refused,
// since a word that is passed over turns a question into a deed.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace clinic::provisioning {

// The words, and the options by name ("--json" has the value "").
struct Call {
    std::vector<std::string> words;
    std::vector<std::pair<std::string, std::string>> options;
    bool has(std::string_view option) const;
    std::string value(std::string_view option) const;
    std::vector<std::string> values(std::string_view option) const; // of each time it was given
};

// Options as tables write them: "--json" stands alone, "--limit=" takes a value, "--address=*" one each time it is
// given.
using Options = std::span<const std::string_view>;

// What is wrong with it, for a person; empty: nothing.
using Objection = std::string;

// `--limit 5` and `--limit=5` are the same; after `--` all are words. Objects to an option nobody knows, to one without
// its value and to one with a value too many.
Objection parse(std::span<const std::string> arguments, Options known, Call& call);

// Objects to an option that is not among these, and to one given twice that may be given once.
Objection check(const Call& call, Options allowed);

} // namespace clinic::provisioning
