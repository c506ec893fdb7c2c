// A question to clinicd over control.sock, and its answer.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"

namespace clinic::provisioning {

class Client {
public:
    explicit Client(std::filesystem::path socket) : socket_{std::move(socket)} {}

    // The answer's JSON; nullopt when clinicd cannot be asked, which has then been said on standard error.
    std::optional<nlohmann::json> ask(std::string_view command, const nlohmann::json& args,
                                      const std::optional<std::string>& body = std::nullopt) const;
    // The same for who asks again and again: nothing is said where it cannot be asked, or refuses.
    std::optional<nlohmann::json> try_ask(std::string_view command, const nlohmann::json& args) const;

    // The same with secrets, of a command about keys. A secret that is not told is empty.
    struct Told {
        nlohmann::json answer;
        crypto::SecureBytes secret;
    };
    std::optional<Told> ask_secretly(std::string_view command, const nlohmann::json& args,
                                     const crypto::SecureBytes& secret) const;

    const std::filesystem::path& socket() const { return socket_; }

private:
    std::optional<nlohmann::json> answer_of(const Result<std::string>& text) const;

    std::filesystem::path socket_;
};

} // namespace clinic::provisioning
