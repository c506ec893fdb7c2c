#include <fstream>
#include <thread>

#include "tests/bench/commands.h"
#include "tests/bench/figures.h"
#include "tests/emulator/https_client.h"

namespace clinic::bench {
namespace {

std::string first_line(const std::string& file) {
    std::ifstream in{file};
    std::string line;
    std::getline(in, line);
    return line;
}

// A new contact as the box makes one: the pseudonym of a person that nobody is.
std::string shell(const Arguments& given, const std::string& pid) {
    const auto field = [&](const char* id, const std::string& value) {
        return json{{"id", id}, {"field_value", value}};
    };
    return json{{"locationId", given.text("location")},
                {"firstName", pid},
                {"source", "clinic-edge"},
                {"dnd", true},
                {"tags", {"ce-new-patient"}},
                {"customFields", {field("CEpid00000000000000A", pid), field("CEstage000000000000B", "lead")}}}
        .dump();
}

std::string pseudonym(std::int64_t connection, std::int64_t number) {
    std::string digits = std::to_string(connection * 1'000'000 + number);
    return "p_" + std::string(26 - digits.size(), '0') + digits;
}

} // namespace

json bare_https(const Arguments& given) {
    const std::int64_t connections = given.number("connections"), count = given.number("count") / connections;
    const emulator::Headers headers{{"Authorization", "Bearer " + first_line(given.text("token"))},
                                    {"Version", "2021-07-28"},
                                    {"Accept", "application/json"},
                                    {"Content-Type", "application/json"}};
    const auto port = static_cast<int>(given.number("port"));
    const std::int64_t first = given.number("first", 0);
    const Instant begin = now();
    {
        std::vector<std::jthread> threads;
        for (std::int64_t connection = 0; connection < connections; ++connection) {
            threads.emplace_back([&, connection] {
                emulator::HttpsClient client{port, given.text("ca")};
                for (std::int64_t i = 0; i < count; ++i) {
                    const auto reply =
                        client.send("POST", "/contacts/", headers, shell(given, pseudonym(1 + connection, first + i)));
                    if (reply.status != 201) give_up("a contact is not made: " + std::to_string(reply.status));
                }
            });
        }
    }
    const double took = seconds_between(begin, now());
    return {{"connections", connections},
            {"requests", count * connections},
            {"requests_per_s", static_cast<double>(count * connections) / took}};
}

} // namespace clinic::bench
