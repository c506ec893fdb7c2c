#include <cstdio>
#include <exception>
#include <string_view>
#include <typeinfo>

#include "provisioning/commands.h"

namespace {

using namespace clinic::provisioning;

constexpr const char* default_control = "/run/clinic-edge/control.sock";
constexpr std::string_view with_value[]{
    "--after",   "--control", "--evidence",    "--expires",       "--feed", "--since",       "--limit",   "--reason",
    "--address", "--sender",  "--certificate", "--character-set", "--ack",  "--status-word", "--preadmit"};

// False: an option lacks its value.
bool parse(int count, char** arguments, Call& call) {
    for (int i = 1; i < count; ++i) {
        const std::string_view word{arguments[i]};
        if (!word.starts_with("--")) {
            call.words.emplace_back(word);
            continue;
        }
        bool takes_value = false;
        for (const auto option : with_value) takes_value = takes_value || option == word;
        if (takes_value && i + 1 == count) return false;
        call.options.emplace_back(word, takes_value ? arguments[++i] : "");
    }
    return true;
}

} // namespace

int main(int count, char** arguments) {
    try {
        Call call;
        if (!parse(count, arguments, call) || call.words.empty()) {
            print_usage();
            return 2;
        }
        return run(call, Client{call.has("--control") ? call.value("--control") : default_control});
    } catch (const std::exception& error) {
        std::fprintf(stderr, "clinicctl: stopped by %s\n", typeid(error).name());
        return 2;
    }
}
