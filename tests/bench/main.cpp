// clinic-bench COMMAND [--name value]...: what `tests/bench/run` puts together. See docs/benchmarks.md.
#include <csignal>
#include <cstdio>
#include <map>

#include "tests/bench/commands.h"

int main(int count, char** values) {
    using namespace clinic::bench;
    const std::map<std::string, json (*)(const Arguments&)> commands{
        {"bare-sqlite", bare_sqlite}, {"acknowledge", acknowledge}, {"latency", latency},     {"sustained", sustained},
        {"deliver", deliver},         {"bare-https", bare_https},   {"bare-paho", bare_paho}, {"start", start},
        {"backlog", backlog}};
    const auto found = commands.find(count > 1 ? values[1] : "");
    if (found == commands.end()) {
        std::fputs("usage: clinic-bench COMMAND [--name value]...; commands:", stderr);
        for (const auto& [name, command] : commands) std::fprintf(stderr, " %s", name.c_str());
        std::fputs("\n", stderr);
        return 2;
    }
    std::signal(SIGPIPE, SIG_IGN);
    std::puts(found->second(Arguments{count, values, 2}).dump().c_str());
    return 0;
}
