// How clinicctl and clinicd speak on control.sock: length-prefixed parts, a question and an answer a connection.
//   Form:    4 bytes big-endian length, then that many bytes. The first part of a question is JSON
//            {"v":1,"command":NAME,"args":{…}}; a body follows in parts of at most 64 KiB, ended by an empty one.
//            The answer is one part of JSON: {"v":1,"ok":true,"exit":N,"data":…} or
//            {"v":1,"ok":false,"exit":N,"error":{…}}.
//            Of a command about keys a secret follows the question as one part, which is neither JSON nor a body; the
//            secret of an answer follows it in the same way. Each is in guarded memory at both ends.
//   Errors:  offline (the other side went away), full (longer than its bound), timeout.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/base/result.h"
#include "crypto/secure_bytes.h"

namespace clinic::control {

inline constexpr std::size_t question_bytes_max = 65'536;
inline constexpr std::size_t body_bytes_max = 64 * 1'048'576;
inline constexpr std::size_t answer_bytes_max = 16 * 1'048'576;
inline constexpr std::size_t secret_bytes_max = 4'096;
inline constexpr int silence_seconds_max = 30; // between two parts, by SO_RCVTIMEO and SO_SNDTIMEO

Result<void> send_part(int socket, std::string_view bytes);
Result<std::string> receive_part(int socket, std::size_t bytes_max);
Result<void> send_body(int socket, std::string_view body);
Result<std::string> receive_body(int socket, std::size_t bytes_max);
Result<void> send_secret(int socket, const crypto::SecureBytes& secret);
Result<crypto::SecureBytes> receive_secret(int socket); // empty: there is none
void set_patience(int socket, int seconds = silence_seconds_max);

// clinicctl's side, whole: the question, its body where there is one, and the answer as it came. Errors besides:
// not_found, unauthorized, malformed: nobody listens there, we may not speak to it, or the path is too long.
Result<std::string> ask(const std::filesystem::path& socket, std::string_view question,
                        const std::optional<std::string>& body, int silence_seconds = silence_seconds_max);

// The same with secrets in the place of the body. The answer's is empty where it has none.
struct SecretAnswer {
    std::string text;
    crypto::SecureBytes secret;
};
Result<SecretAnswer> ask_secretly(const std::filesystem::path& socket, std::string_view question,
                                  const crypto::SecureBytes& secret, int silence_seconds = silence_seconds_max);

} // namespace clinic::control
