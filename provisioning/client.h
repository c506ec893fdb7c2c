// A question to clinicd over control.sock, and its answer.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace clinic::provisioning {

class Client {
public:
    explicit Client(std::filesystem::path socket) : socket_{std::move(socket)} {}

    // The answer's JSON; nullopt when clinicd cannot be asked, which has then been said on standard error.
    std::optional<nlohmann::json> ask(std::string_view command, const nlohmann::json& args,
                                      const std::optional<std::string>& body = std::nullopt) const;

    const std::filesystem::path& socket() const { return socket_; }

private:
    std::filesystem::path socket_;
};

} // namespace clinic::provisioning
