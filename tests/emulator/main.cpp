// ghl-emulator: see docs/emulator.md.
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/base/files.h"
#include "crypto/base/log.h"
#include "tests/emulator/emulator.h"

namespace {

using namespace clinic;

constexpr std::size_t token_bytes_max = 4096;
constexpr const char* usage =
    "usage: ghl-emulator --cert FILE --key FILE --token FILE (--port N | --fd N) [--bind ADDRESS] [--requests FILE]\n"
    "                    [--answers FILE] [--location ID] [--fields FILE|default] [--state FILE] [--ready-fd N]\n"
    "       ghl-emulator --print-fields [--fields FILE|default]\n";

struct Arguments {
    emulator::Options options;
    std::string token_file, fields = "default";
    int ready_fd = -1;
    bool print_fields = false;
};

bool read_number(const std::string& text, int& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} && end == text.data() + text.size() && out >= 0;
}

bool take_option(Arguments& arguments, std::string_view name, const std::string& value) {
    auto& options = arguments.options;
    if (name == "--cert")
        options.certificate = value;
    else if (name == "--key")
        options.key = value;
    else if (name == "--token")
        arguments.token_file = value;
    else if (name == "--bind")
        options.bind = value;
    else if (name == "--requests")
        options.service.requests = value;
    else if (name == "--answers")
        options.service.answers = value;
    else if (name == "--location")
        options.service.location = value;
    else if (name == "--fields")
        arguments.fields = value;
    else if (name == "--state")
        options.service.state = value;
    else if (name == "--port")
        return read_number(value, options.port);
    else if (name == "--fd")
        return read_number(value, options.listen_fd);
    else if (name == "--ready-fd")
        return read_number(value, arguments.ready_fd);
    else
        return false;
    return true;
}

std::optional<Arguments> read_arguments(int count, char** values) {
    Arguments arguments;
    for (int i = 1; i < count; ++i) {
        const std::string_view name = values[i];
        if (name == "--print-fields")
            arguments.print_fields = true;
        else if (i + 1 >= count || !take_option(arguments, name, values[++i]))
            return std::nullopt;
    }
    const bool complete =
        !arguments.token_file.empty() && !arguments.options.certificate.empty() && !arguments.options.key.empty();
    return complete || arguments.print_fields ? std::optional{std::move(arguments)} : std::nullopt;
}

Result<void> load_files(Arguments& arguments) {
    if (arguments.fields != "default") {
        auto fields = emulator::read_fields(arguments.fields);
        if (!fields) return fields.error();
        arguments.options.service.fields = std::move(*fields);
    }
    if (arguments.print_fields) return {};
    auto token = base::read_text(arguments.token_file, token_bytes_max);
    if (!token) return token.error();
    while (!token->empty() && (token->back() == '\n' || token->back() == '\r' || token->back() == ' '))
        token->pop_back();
    if (token->empty()) return Error{Errc::malformed, "token file: empty"};
    arguments.options.service.token = std::move(*token);
    return {};
}

void say_ready(const std::string& base_url, int ready_fd) {
    const std::string line = "ready " + base_url + "\n";
    std::fputs(line.c_str(), stdout);
    std::fflush(stdout);
    if (ready_fd < 0) return;
    if (::write(ready_fd, line.data(), line.size()) < 0)
        base::log(base::Level::warning, "emulator", "ready-fd: write failed");
    ::close(ready_fd);
}

int serve(const Arguments& arguments) {
    // Blocked before the first thread, so that sigwait below is the only reader.
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, nullptr);
    signal(SIGPIPE, SIG_IGN);
    const base::SystemClock clock;
    const auto running = emulator::Emulator::start(arguments.options, clock);
    if (!running) {
        base::log(base::Level::error, "emulator", running.error());
        return EXIT_FAILURE;
    }
    say_ready((*running)->base_url(), arguments.ready_fd);
    int received = 0;
    sigwait(&ends, &received);
    return EXIT_SUCCESS;
}

} // namespace

int main(int count, char** values) {
    auto arguments = read_arguments(count, values);
    if (!arguments) {
        std::fputs(usage, stderr);
        return 2;
    }
    if (const auto loaded = load_files(*arguments); !loaded) {
        base::log(base::Level::error, "emulator", loaded.error());
        return EXIT_FAILURE;
    }
    if (!arguments->print_fields) return serve(*arguments);
    std::puts(emulator::fields_as_json(arguments->options.service.fields).c_str());
    return EXIT_SUCCESS;
}
