#include "tests/bench/arguments.h"

#include <cstdio>
#include <cstdlib>

namespace clinic::bench {

void give_up(const std::string& why) {
    std::fprintf(stderr, "clinic-bench: %s\n", why.c_str());
    std::exit(1);
}

Arguments::Arguments(int count, char** values, int first) {
    for (int i = first; i < count; i += 2) {
        const std::string name = values[i];
        if (!name.starts_with("--") || i + 1 == count) give_up("--name value expected at " + name);
        values_[name.substr(2)] = values[i + 1];
    }
}

std::string Arguments::text(const std::string& name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) give_up("--" + name + " is needed");
    return found->second;
}

std::string Arguments::text(const std::string& name, const std::string& otherwise) const {
    const auto found = values_.find(name);
    return found == values_.end() ? otherwise : found->second;
}

std::int64_t Arguments::number(const std::string& name) const {
    return std::strtoll(text(name).c_str(), nullptr, 10);
}

std::int64_t Arguments::number(const std::string& name, std::int64_t otherwise) const {
    return values_.contains(name) ? number(name) : otherwise;
}

} // namespace clinic::bench
