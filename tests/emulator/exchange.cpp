#include "tests/emulator/exchange.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>

#include "crypto/base/ids.h"
#include "crypto/base/json.h"

namespace clinic::emulator {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

std::string percent_decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
        const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
        if (low >= 0) {
            out.push_back(static_cast<char>(high * 16 + low));
            i += 2;
        } else {
            out.push_back(text[i] == '+' ? ' ' : text[i]);
        }
    }
    return out;
}

const char* reason(int status) {
    switch (status) {
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 423: return "Locked";
    case 425: return "Too Early";
    case 422: return "Unprocessable Entity";
    case 429: return "Too Many Requests";
    default: return "Internal Server Error";
    }
}

} // namespace

std::string_view Request::path() const {
    const std::string_view whole{target};
    return whole.substr(0, whole.find('?'));
}

std::string form_field(std::string_view rest, std::string_view name) {
    while (!rest.empty()) {
        const std::string_view pair = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
        const auto equals = pair.find('=');
        if (percent_decoded(pair.substr(0, equals)) != name) continue;
        return equals == std::string_view::npos ? std::string{} : percent_decoded(pair.substr(equals + 1));
    }
    return {};
}

std::string Request::query(std::string_view name) const {
    const std::string_view whole{target};
    const auto mark = whole.find('?');
    return mark == std::string_view::npos ? std::string{} : form_field(whole.substr(mark + 1), name);
}

std::string_view Request::header(std::string_view name) const {
    for (const auto& [key, value] : headers)
        if (lower(key) == lower(name)) return value;
    return {};
}

Answer json_answer(int status, const Json& body) {
    Answer answer;
    answer.status = status;
    answer.body = base::dump_json(body);
    return answer;
}

Answer refusal(int status, std::string_view message) {
    return json_answer(
        status, {{"statusCode", status}, {"message", message}, {"error", reason(status)}, {"traceId", random_id(24)}});
}

Answer unprocessable(const std::vector<std::string>& messages) {
    return json_answer(
        422, {{"statusCode", 422}, {"message", messages}, {"error", reason(422)}, {"traceId", random_id(24)}});
}

std::string random_id(std::size_t length) {
    static constexpr std::string_view alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    std::string id;
    while (id.size() < length) {
        std::array<std::byte, 32> bytes{};
        base::random_bytes(bytes);
        for (const std::byte byte : bytes) {
            const auto index = std::to_integer<std::size_t>(byte) & 63U;
            if (index < alphabet.size() && id.size() < length) id.push_back(alphabet[index]);
        }
    }
    return id;
}

std::string lower(std::string_view text) {
    std::string out{text};
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

} // namespace clinic::emulator
