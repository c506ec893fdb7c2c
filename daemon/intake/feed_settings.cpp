#include "daemon/intake/feed_settings.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "daemon/intake/address_list.h"
#include "daemon/intake/text_encoding.h"

namespace clinic::intake {
namespace {

using nlohmann::json;

constexpr std::size_t name_bytes_max = 32, text_bytes_max = 255;

constexpr std::array acknowledgements{
    std::pair{Acknowledgement::by_message, "by-message"}, std::pair{Acknowledgement::silent, "silent"},
    std::pair{Acknowledgement::original, "original"}, std::pair{Acknowledgement::enhanced, "enhanced"}};

constexpr Error bad_words{Errc::malformed, "status words are not as they must be",
                          "write WORD=STATUS with a status of docs/clinicctl.md"};

bool is_printable(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

Result<void> take_text(const json& value, std::string& into) {
    const auto* text = value.get_ptr<const std::string*>();
    if (text == nullptr || text->size() > text_bytes_max || !is_printable(*text))
        return Error{Errc::malformed, "a setting is not a text of at most 255 bytes"};
    into = *text;
    return {};
}

Result<void> take_addresses(const json& value, std::vector<std::string>& into) {
    if (!value.is_array() || value.size() > addresses_max)
        return Error{Errc::malformed, "a feed has at most 64 addresses", "write blocks: 192.168.1.0/24"};
    std::vector<std::string> addresses;
    for (const auto& one : value) {
        std::string text;
        CLINIC_TRY(take_text(one, text));
        addresses.push_back(std::move(text));
    }
    CLINIC_TRY(AddressList::parse(addresses));
    into = std::move(addresses);
    return {};
}

Result<void> take_character_set(const json& value, std::string& into) {
    std::string set;
    CLINIC_TRY(take_text(value, set));
    if (!set.empty() && !is_character_set(set))
        return Error{Errc::malformed, "not a character set that we read", "write 8859/1, WINDOWS-1252, …: docs/hl7.md"};
    into = std::move(set);
    return {};
}

Result<void> take_acknowledgement(const json& value, Acknowledgement& into) {
    for (const auto& [mode, word] : acknowledgements)
        if (value == word) {
            into = mode;
            return {};
        }
    return Error{Errc::malformed, "no such way to acknowledge", "by-message, silent, original or enhanced"};
}

Result<void> take_preadmit(const json& value, bool& into) {
    if (value != "person" && value != "appointment")
        return Error{Errc::malformed, "A05 says a person or an appointment", "--preadmit person|appointment"};
    into = value == "appointment";
    return {};
}

template <class Value>
Result<void> take_parsed(const json& value, Result<Value> (*parse)(std::string_view), Value& into) {
    std::string text;
    CLINIC_TRY(take_text(value, text));
    auto parsed = parse(text);
    CLINIC_TRY(parsed);
    into = *parsed;
    return {};
}

Result<void> take_since(const json& value, Expectation& into) {
    if (!value.is_number_integer()) return Error{Errc::malformed, "not a moment"};
    into.since = Timestamp{value.get<std::int64_t>()};
    return {};
}

// {"roomed": "arrived", "gone": null}
Result<void> take_words(const json& value, StatusWords& into) {
    if (!value.is_object()) return bad_words;
    for (const auto& [said, status] : value.items()) {
        const std::string word = plain_word(said);
        if (word.empty() || word.size() > text_bytes_max) return bad_words;
        std::erase_if(into, [&word](const auto& known) { return known.first == word; });
        if (status.is_null()) continue;
        const auto meant =
            status.is_string() ? records::appointment_status(status.get_ref<const std::string&>()) : std::nullopt;
        if (!meant) return bad_words;
        into.emplace_back(word, *meant);
    }
    if (into.size() > status_words_max) return Error{Errc::full, "a feed has at most 64 status words"};
    return {};
}

Result<void> take(FeedSettings& feed, const std::string& key, const json& value) {
    if (key == "name") return take_text(value, feed.name);
    if (key == "addresses") return take_addresses(value, feed.addresses);
    if (key == "certificate") return take_text(value, feed.certificate);
    if (key == "sender") return take_text(value, feed.sender);
    if (key == "character_set") return take_character_set(value, feed.rules.character_set);
    if (key == "acknowledgement") return take_acknowledgement(value, feed.rules.acknowledgement);
    if (key == "preadmit") return take_preadmit(value, feed.rules.preadmit_is_appointment);
    if (key == "status_words") return take_words(value, feed.rules.status_words);
    if (key == "expect") return take_parsed(value, parse_within, feed.expected.within);
    if (key == "hours") return take_parsed(value, parse_hours, feed.expected.hours);
    if (key == "expected_since_us") return take_since(value, feed.expected);
    return Error{Errc::malformed, "a feed has no such setting", "use the clinicctl of this package"};
}

bool is_name(std::string_view name) {
    if (name.empty() || name.size() > name_bytes_max || name.front() == '-') return false;
    return std::all_of(name.begin(), name.end(),
                       [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

} // namespace

const char* name(Acknowledgement acknowledgement) {
    for (const auto& [mode, word] : acknowledgements)
        if (mode == acknowledgement) return word;
    return "";
}

json to_json(const FeedSettings& feed) {
    json words = json::object();
    for (const auto& [word, status] : feed.rules.status_words) words[word] = records::name(status);
    return {{"name", feed.name},
            {"addresses", feed.addresses},
            {"certificate", feed.certificate},
            {"sender", feed.sender},
            {"character_set", feed.rules.character_set},
            {"acknowledgement", name(feed.rules.acknowledgement)},
            {"preadmit", feed.rules.preadmit_is_appointment ? "appointment" : "person"},
            {"status_words", std::move(words)},
            {"expect", text_of_within(feed.expected.within)},
            {"hours", text_of(feed.expected.hours)},
            {"expected_since_us", feed.expected.since.micros}};
}

Result<void> apply(FeedSettings& feed, const json& change) {
    if (!change.is_object()) return Error{Errc::malformed, "a feed's settings are an object"};
    for (const auto& [key, value] : change.items()) CLINIC_TRY(take(feed, key, value));
    return {};
}

Result<void> check(const FeedSettings& feed) {
    constexpr std::array taken{"mllp", "csv", "fhir", "replay"};
    if (!is_name(feed.name) || std::find(taken.begin(), taken.end(), feed.name) != taken.end())
        return Error{Errc::malformed, "not a name for a feed", "small letters, digits and -; not mllp, csv or fhir"};
    if (feed.addresses.empty() && feed.certificate.empty())
        return Error{Errc::malformed, "nothing says where the sender comes from", "add --address or --certificate"};
    return {};
}

} // namespace clinic::intake
