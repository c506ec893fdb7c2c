#include "packaging/supervise/plan.h"

#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "crypto/base/json.h"

namespace clinic::supervise {
namespace {

using nlohmann::json;

constexpr std::size_t plan_bytes_max = 65'536;

std::optional<uid_t> user_of(const json& from, const char* key) {
    if (!from.contains(key)) return std::nullopt;
    return from.at(key).get<uid_t>();
}

Socket socket_of(const json& from) {
    const auto kind = from.at("kind").get<std::string>();
    return {.name = from.at("name").get<std::string>(),
            .kind = kind == "tcp"      ? Socket::Kind::tcp
                    : kind == "stream" ? Socket::Kind::stream
                                       : Socket::Kind::seqpacket,
            .address = from.at("address").get<std::string>(),
            .port = from.value("port", static_cast<unsigned short>(0)),
            .mode = from.value("mode", static_cast<mode_t>(0660)),
            .owner = user_of(from, "owner")};
}

Program program_of(const json& from) {
    return {.name = from.at("name").get<std::string>(),
            .command = from.at("command").get<std::vector<std::string>>(),
            .sockets = from.value("sockets", std::vector<std::string>{}),
            .log = from.at("log").get<std::string>(),
            .user = user_of(from, "user")};
}

} // namespace

Result<Plan> read_plan(const std::filesystem::path& path) {
    const auto text = base::read_text(path, plan_bytes_max);
    CLINIC_TRY(text);
    const auto parsed = base::parse_json(*text, plan_bytes_max, 6);
    CLINIC_TRY(parsed);
    try {
        Plan plan{.pid_file = parsed->at("pid_file").get<std::string>(), .sockets = {}, .programs = {}};
        for (const auto& one : parsed->at("sockets")) plan.sockets.push_back(socket_of(one));
        for (const auto& one : parsed->at("programs")) plan.programs.push_back(program_of(one));
        return plan;
    } catch (const json::exception&) {
        return Error{Errc::malformed, "the plan lacks a field or has one of another type"};
    }
}

} // namespace clinic::supervise
