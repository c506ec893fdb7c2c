#include "provisioning/message_view.h"

#include <nlohmann/json.hpp>

#include "provisioning/format.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

// HL7's line ends become ours; any other control character, C1 in UTF-8 too, becomes a point.
std::string printable(const std::string& text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto c = static_cast<unsigned char>(text[at]);
        const bool is_c1 = c == 0xC2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xA0;
        if (c == '\r')
            out += '\n';
        else if (is_c1) {
            out += '.';
            ++at;
        } else
            out += (c < ' ' && c != '\n') || c == 0x7F ? '.' : text[at];
    }
    return out;
}

std::string word(const json& from, const char* key) {
    const auto found = from.find(key);
    return found != from.end() && found->is_string() ? printable(found->get<std::string>()) : std::string{};
}

long long number(const json& from, const char* key) {
    const auto found = from.find(key);
    return found != from.end() && found->is_number_integer() ? found->get<long long>() : 0;
}

std::string listed(const json& texts) {
    std::string out;
    for (const auto& text : texts) {
        if (!out.empty()) out += ' ';
        out += printable(text.get<std::string>());
    }
    return out;
}

std::string feed(const json& one) {
    const json& books = one.at("books");
    std::string out = format("%-20s %9lld received, last %s\n", word(one, "name").c_str(), number(books, "received"),
                             word(books, "last_at").empty() ? "never" : word(books, "last_at").c_str());
    const auto line = [&](const char* name, const std::string& text) {
        if (!text.empty()) out += format("  %-18s ", name) + text + "\n";
    };
    if (books.value("silent", false)) line("SILENT", "for longer than is expected of it");
    if (word(one, "expect") != "none" && !word(one, "expect").empty())
        line("expected every", word(one, "expect") + ", " + word(one, "hours"));
    line("from", listed(one.at("addresses")));
    line("certificate", word(one, "certificate"));
    line("MSH-3|MSH-4", word(one, "sender"));
    line("character set", word(one, "character_set"));
    line("acknowledgement", word(one, "acknowledgement"));
    if (word(one, "preadmit") == "appointment") line("A05, A38", "an appointment, and its end");
    for (const auto& [said, status] : one.at("status_words").items())
        line("SCH-25", said + " = " + status.get<std::string>());
    return out;
}

} // namespace

std::string view_feeds(const json& feeds) {
    std::string out;
    for (const auto& one : feeds.at("feeds")) out += feed(one);
    if (out.empty()) out = "No sender has a name yet: clinicctl feed add NAME --address A\n";
    for (const auto& [kind, count] : feeds.at("unsupported").items())
        out += format("not taken since start: %s, %lld times\n", kind.c_str(), count.get<long long>());
    for (const auto& one : feeds.value("turned_away", json::array()))
        out += format("turned away: %s, %lld times, last %s; if it is a sender: clinicctl feed set NAME --address %s\n",
                      word(one, "address").c_str(), number(one, "times"), word(one, "last_at").c_str(),
                      word(one, "address").c_str());
    return out;
}

std::string view_messages(const json& messages) {
    std::string out = "        id  received at                  kind         bytes  feed\n";
    for (const auto& one : messages)
        out += format("%10lld  %-27s  %-7s %10lld  %s\n", number(one, "id"), word(one, "received_at").c_str(),
                      word(one, "kind").c_str(), number(one, "bytes"), word(one, "feed").c_str());
    return out;
}

std::string view_message(const json& message) {
    std::string out = format("%lld of %s, received %s\n", number(message, "id"), word(message, "feed").c_str(),
                             word(message, "received_at").c_str());
    if (!word(message, "reason").empty()) {
        out += word(message, "reason");
        if (number(message, "segment") > 0) out += format(" (segment %lld", number(message, "segment"));
        if (number(message, "segment") > 0 && number(message, "field") > 0)
            out += format(", field %lld", number(message, "field"));
        out += number(message, "segment") > 0 ? ")\n" : "\n";
    }
    if (!word(message, "replayed_as").empty())
        out += "replayed " + word(message, "replayed_at") + ": " + word(message, "replayed_as") + "\n";
    if (!word(message, "next").empty()) out += word(message, "next") + "\n";
    return out + "\n" + word(message, "text") + "\n";
}

std::string view_audit(const json& links) {
    std::string out = "    number  at                    who              did         for         people\n";
    for (const auto& one : links) {
        out += format("%10lld  %-20s  ", number(one, "number"), word(one, "at").c_str());
        if (one.contains("lost_from"))
            out += format("links %lld to %lld are lost\n", number(one, "lost_from"), number(one, "lost_to"));
        else if (one.contains("more_of"))
            out += format("more people of %lld: %lld\n", number(one, "more_of"), number(one, "subjects"));
        else
            out += format("%-8s %-6lld  %-10s  %-10s %7lld\n            ", word(one, "actor").c_str(),
                          number(one, "actor_id"), word(one, "action").c_str(), word(one, "purpose").c_str(),
                          number(one, "subjects")) +
                   word(one, "detail") + "\n";
    }
    return out;
}

std::string view_quarantine(const json& items) {
    std::string out = "        id  received at                  feed                 what was wrong\n";
    for (const auto& one : items) {
        out += format("%10lld  %-27s  %-20s ", number(one, "id"), word(one, "received_at").c_str(),
                      word(one, "feed").c_str());
        out += word(one, "reason");
        if (number(one, "line") > 0) out += format(", line %lld", number(one, "line"));
        if (number(one, "segment") > 0) out += format(", segment %lld", number(one, "segment"));
        if (number(one, "field") > 0) out += format(", field %lld", number(one, "field"));
        if (number(one, "attempts") > 1) out += format(", %lld times", number(one, "attempts"));
        if (!word(one, "replayed_as").empty()) out += " (now: " + word(one, "replayed_as") + ")";
        out += '\n';
    }
    return items.empty() ? "nothing is in the quarantine\n" : out;
}

std::string view_settled(const json& settled) {
    std::string out;
    for (const auto& one : settled.at("items")) out += format("%lld: ", number(one, "id")) + word(one, "as") + "\n";
    if (out.empty()) out = "nothing waits\n";
    return out;
}

} // namespace clinic::provisioning
