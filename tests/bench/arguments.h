// `--name value` pairs of a command line.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace clinic::bench {

class Arguments {
public:
    Arguments(int count, char** values, int first); // ends the program with a usage error when a value is missing

    std::string text(const std::string& name) const; // needed
    std::string text(const std::string& name, const std::string& otherwise) const;
    std::int64_t number(const std::string& name) const;
    std::int64_t number(const std::string& name, std::int64_t otherwise) const;

private:
    std::map<std::string, std::string> values_;
};

[[noreturn]] void give_up(const std::string& why); // nothing to report: the run fails and says why

} // namespace clinic::bench
