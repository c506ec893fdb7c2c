#include "provisioning/status_view.h"

#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>

#include "crypto/base/days.h"
#include "daemon/web/words/words.h"
#include "provisioning/answers.h"
#include "provisioning/format.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

std::string word(const json& from, const char* key) {
    const auto found = from.find(key);
    return found != from.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

long long number(const json& from, const char* key) {
    const auto found = from.find(key);
    return found != from.end() && found->is_number_integer() ? found->get<long long>() : 0;
}

// "1,234,567", set to the right.
std::string grouped(long long value, std::size_t width = 0) {
    const std::string digits = words::number(value);
    return digits.size() < width ? std::string(width - digits.size(), ' ') + digits : digits;
}

// "baa, ends on 2026-12-31 (in 34 days)".
std::string basis_of(const json& status) {
    const json& basis = status.at("basis");
    const auto now = base::time_of(word(status, "at")), end = base::time_of(word(basis, "expires"));
    if (now && end) return word(basis, "name") + ", " + base::ends_on(word(basis, "last_day"), *end - *now);
    return word(basis, "name") + (basis.value("expired", false) ? " (expired)" : "");
}

// A state as a word, a shape, and a colour where the terminal has one.
std::string state(const std::string& name) {
    struct Look {
        const char *name, *text, *colour;
    };
    static constexpr std::array looks{Look{"well", "[ok]  ", "32"}, Look{"information", "[i]   ", "34"},
                                      Look{"look", "[look]", "33"}, Look{"not_working", "[DOWN]", "31"}};
    for (const auto& look : looks)
        if (name == look.name)
            return isatty(STDOUT_FILENO) != 0 ? format("\033[%sm%s\033[0m", look.colour, look.text)
                                              : std::string{look.text};
    return "[?]   ";
}

// An age as the page says it.
std::string age(const json& status, const json& from, const char* key) {
    const auto found = from.find(key);
    const std::int64_t seconds = found != from.end() && found->is_number_integer() ? found->get<std::int64_t>() : -1;
    const int zone = static_cast<int>(number(status.at("clock"), "zone_minutes"));
    return words::ago(seconds, {words::moment_of(word(status, "at")), zone});
}

// The weekly check: when the newest one ended, and what is known of the store.
std::string checked(const json& status, const json& check) {
    if (word(check, "last").empty()) return check.value("running", false) ? "never, the first is under way" : "never";
    std::string said = age(status, check, "last_s");
    if (check.value("sound", json{}) == json(false)) said += ": DAMAGED";
    if (const auto skipped = number(check, "tables_skipped"); skipped > 0)
        said += ", " + grouped(skipped) + " tables left out";
    if (const auto keys = number(check, "keys_damaged"); keys > 0)
        said += ", keys of " + grouped(keys) + " people DAMAGED";
    return said + (check.value("running", false) ? "; the next is under way" : "");
}

// " since 09:12", in the clinic's zone; empty where nobody said since when.
std::string since(const json& status, const json& from) {
    if (word(from, "since").empty()) return {};
    const int zone = static_cast<int>(number(status.at("clock"), "zone_minutes"));
    return " " + words::say("page.since", {.at = words::moment_of(word(from, "since"))},
                            {words::moment_of(word(status, "at")), zone});
}

std::string answers(const json& status) {
    std::string out;
    for (const char* key : {"box", "ghl", "needs"}) {
        const json& answer = status.at("answers").at(key);
        out += state(word(answer, "state")) + " " + wrapped(word(answer, "text") + since(status, answer), 7);
    }
    for (const auto& need : status.at("needs")) {
        out += "       - " + wrapped(word(need, "what") + since(status, need) + " (" + word(need, "code") + ")", 9);
        if (!word(need, "action").empty()) out += "         " + wrapped(word(need, "action"), 9);
        if (word(need, "cause").empty()) continue;
        const std::string remedy = word(need, "remedy").empty() ? "" : "; " + word(need, "remedy");
        out += "         " + wrapped("Technician: " + word(need, "cause") + remedy, 9);
    }
    return out;
}

// A line of the books. A name that is too long for its column has a line of its own.
std::string counts(const std::string& name, const json& of, const std::string& last) {
    const bool fits = name.size() <= 7;
    return (fits ? "" : "  " + name + "\n") + format("  %-7s", fits ? name.c_str() : "") +
           grouped(number(of, "received"), 10) + grouped(number(of, "stored"), 10) +
           grouped(number(of, "quarantined"), 12) + grouped(number(of, "refused"), 8) +
           grouped(number(of, "duplicate"), 10) + " " + last + "\n";
}

bool adds_up(const json& status) {
    bool all = status.at("queue").at("crm").value("balanced", false);
    for (const auto& [name, feed] : status.at("feeds").items()) all = all && feed.value("balanced", false);
    return all;
}

// While the records are closed nobody knows what is in them, and zeros would look like a loss.
bool are_closed(const json& status) {
    return !status.at("store").value("open", true);
}

std::string closed() {
    return words::text("page.closed").c_str();
}

std::string books(const json& status) {
    if (are_closed(status)) return "\nBooks         " + closed() + "\n";
    std::string out = "\nMessages   received    stored quarantined refused duplicate last\n";
    for (const auto& [name, feed] : status.at("intake").items())
        out += counts(name, feed, age(status, status.at("feeds").at(name), "last_message_s"));
    for (const auto& [name, sender] : status.at("feeds").items()) {
        if (!sender.contains("sender_of")) continue; // its messages are in the lines above as well
        out += counts("  " + name, sender, age(status, sender, "last_message_s"));
        if (word(sender, "state") == "silent")
            out += "  " + state("look") + " silent; expected every " + words::span(number(sender, "expected_s")) + "\n";
    }
    const json& crm = status.at("egress").at("crm");
    std::string sum =
        "released " + grouped(number(crm, "released")) + " = delivered " + grouped(number(crm, "delivered"));
    for (const char* key : {"pending", "leased", "superseded", "withdrawn", "parked", "dead", "discarded"})
        sum += std::string{" + "} + key + " " + grouped(number(crm, key));
    out += "\nTo GHL        " + wrapped(sum, 14);
    const json& queue = status.at("queue").at("crm");
    out += "              last delivered " + age(status, queue, "last_delivered_s");
    if (number(crm, "pending") > 0) out += ", the oldest came " + age(status, queue, "oldest_s");
    return out + (adds_up(status) ? "\nThe books add up\n" : "\nThe books do NOT add up\n");
}

std::string facts(const json& status) {
    const json& lanes = status.at("lanes");
    const json& held = status.at("containment");
    std::string out =
        format("\nLinks         GHL %s, central ops %s, delivery program %s\n", word(lanes.at("crm"), "state").c_str(),
               word(lanes.at("mqtt"), "state").c_str(), word(lanes.at("program"), "state").c_str());
    const bool is_known = !are_closed(status);
    if (is_known) out += "Basis         " + basis_of(status) + "\n";
    out += format("Clock         %s\n", status.at("clock").value("trusted", false) ? "trusted" : "not trusted yet");
    out += format("No way out    %lld of %lld parts hold\n", number(held, "held"), number(held, "all"));
    for (const auto& part : held.at("parts"))
        if (!part.value("holds", false))
            out += "              " + wrapped("does not hold: " + word(part, "part") + ", " + word(part, "detail"), 14);
    const json& store = status.at("store");
    const std::string free = grouped(number(store, "disk_free_percent")) + "% of the disk free";
    if (!is_known) out += "Store         " + wrapped("mode " + word(status, "mode") + ", " + free, 14);
    if (is_known) {
        out += "Store         " +
               wrapped(grouped(number(store, "patients")) + " patients, mode " + word(status, "mode") + ", " +
                           grouped(number(store, "quarantine_items")) + " in quarantine, " + free,
                       14);
        out += "Keys          " + grouped(number(store, "free_key_slots")) + " in reserve, " +
               grouped(number(store, "authentication_failures")) + " pages failed their seal\n";
        const json check = store.value("check", json::object());
        out += "Checked       " + wrapped(checked(status, check), 14);
    }
    out += format("Box           %s, version %s\n", word(status, "box").c_str(), word(status, "version").c_str());
    return out;
}

} // namespace

std::string view(const json& status, bool in_place) {
    const std::string text = answers(status) + books(status) + facts(status);
    return in_place && isatty(STDOUT_FILENO) != 0 ? "\033[H\033[2J" + text : text;
}

std::string view_basis(const json& basis) {
    std::string out = "Basis     " + word(basis, "mode") + "\n";
    if (word(basis, "in_effect") != word(basis, "mode"))
        out += "In effect " + word(basis, "in_effect") + " (it has expired)\n";
    if (!word(basis, "last_day").empty()) out += "Last day  " + word(basis, "last_day") + "\n";
    if (!word(basis, "evidence").empty())
        out += "Evidence  " + word(basis, "evidence").substr(0, 16) + "... (BLAKE2b-256)\n";
    out += "Unlinked  " + word(basis, "unlinked") + "\n";
    if (word(basis, "bookings") == "times")
        out += "Bookings  start and end of appointments leave too: GHL's calendar holds them (ghl.bookings.create)\n";
    if (word(basis, "bookings") == "status") out += "Bookings  the status of those that live in GHL; no time leaves\n";
    return out;
}

std::string view_import(const json& report) {
    std::string out = format("%lld lines: %lld stored, %lld already here, %lld not accepted\n",
                             number(report, "received"), number(report, "stored"), number(report, "duplicate"),
                             number(report, "quarantined") + number(report, "refused"));
    for (const auto& fault : report.value("faults", json::array()))
        out += format("line %lld, %s: %s; %s\n", number(fault, "line"), word(fault, "column").c_str(),
                      word(fault, "what").c_str(), word(fault, "remedy").c_str());
    return out;
}

} // namespace clinic::provisioning
