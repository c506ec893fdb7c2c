#include "provisioning/bundle/journal.h"

#include <systemd/sd-journal.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "crypto/base/files.h"
#include "crypto/base/owned.h"

namespace clinic::bundle {
namespace {

using nlohmann::json;
using Journal = std::unique_ptr<sd_journal, base::FreedBy<sd_journal_close>>;

constexpr std::array units{"clinicd.service",
                           "clinic-syncd.service",
                           "clinic-edge-check.service",
                           "clinic-edge-credentials.service",
                           "clinic-edge-firewall.service",
                           "clinic-edge-lan-rules.service",
                           "clinic-edge-mdns.service",
                           "clinic-edge-observer.service",
                           "clinic-edge-tls.service",
                           "clinic-edge-unlock.service"};
constexpr std::size_t program_bytes_max = 128 * 1'048'576, text_bytes_min = 8, known_max = 4'096;

struct Told {
    std::string area, what, remedy;
    json facts = json::object();
};

bool is_word(std::string_view text) {
    return !text.empty() && text.size() <= 24 &&
           std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

// A number, or for "code" a word of ours. What came from where is an address in the clinic: it is dropped.
bool take_fact(std::string_view key, std::string_view value, const Literals& literals, json& facts) {
    if (key == "from") return true;
    if (key == "code" && is_word(value) && literals.holds(value)) {
        facts["code"] = value;
        return true;
    }
    std::int64_t number = 0;
    const auto [end, wrong] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (wrong != std::errc{} || end != value.data() + value.size() || !is_word(key) || !literals.holds(key))
        return false;
    facts[std::string{key}] = number;
    return true;
}

// Takes " key=value" from the end, as long as there is one.
std::string_view without_facts(std::string_view text, const Literals& literals, json& facts) {
    for (;;) {
        const auto blank = text.rfind(' ');
        const auto equals = text.rfind('=');
        if (blank == std::string_view::npos || equals == std::string_view::npos || equals < blank) return text;
        if (!take_fact(text.substr(blank + 1, equals - blank - 1), text.substr(equals + 1), literals, facts))
            return text;
        text = text.substr(0, blank);
    }
}

bool is_sentence(std::string_view text, const Literals& literals) {
    return text.size() >= text_bytes_min && literals.holds(text);
}

// Nothing, where any of it is not a text of ours.
std::optional<Told> told(std::string_view message, const Literals& literals) {
    Told out;
    const auto text = without_facts(message, literals, out.facts);
    const auto colon = text.find(": ");
    if (colon == std::string_view::npos || !literals.holds(text.substr(0, colon))) return std::nullopt;
    out.area = text.substr(0, colon);
    const auto rest = text.substr(colon + 2);
    if (is_sentence(rest, literals)) {
        out.what = rest;
        return out;
    }
    for (auto at = rest.find("; "); at != std::string_view::npos; at = rest.find("; ", at + 1)) {
        if (!is_sentence(rest.substr(0, at), literals) || !is_sentence(rest.substr(at + 2), literals)) continue;
        out.what = rest.substr(0, at);
        out.remedy = rest.substr(at + 2);
        return out;
    }
    return std::nullopt;
}

bool is_all(std::string_view text, std::string_view signs) {
    return text.find_first_not_of(signs) == std::string_view::npos;
}

std::string field(sd_journal* journal, const char* name) {
    const void* data = nullptr;
    std::size_t size = 0;
    if (sd_journal_get_data(journal, name, &data, &size) < 0) return {};
    const std::string_view whole{static_cast<const char*>(data), size};
    return std::string{whole.substr(whole.find('=') + 1)};
}

std::int64_t number_of(const std::string& text, std::int64_t otherwise) {
    std::int64_t number = 0;
    const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), number);
    return wrong == std::errc{} && end == text.data() + text.size() ? number : otherwise;
}

// What a unit said, and what the manager said of it.
std::string unit_of(sd_journal* journal) {
    std::string manager = field(journal, "UNIT");
    return manager.empty() ? field(journal, "_SYSTEMD_UNIT") : manager;
}

JournalLine line_of(sd_journal* journal) {
    std::uint64_t at = 0;
    sd_journal_get_realtime_usec(journal, &at);
    const bool managers = !field(journal, "UNIT").empty();
    return {.at = Timestamp{static_cast<std::int64_t>(at)},
            .unit = unit_of(journal),
            .priority = static_cast<int>(number_of(field(journal, "PRIORITY"), 6)),
            .message = managers ? std::string{} : field(journal, "MESSAGE"),
            .message_id = managers ? field(journal, "MESSAGE_ID") : std::string{},
            .result = managers ? field(journal, "UNIT_RESULT") : std::string{},
            .exit = managers ? number_of(field(journal, "EXIT_STATUS"), -1) : -1};
}

int match_units(sd_journal* journal) {
    for (const char* unit : units)
        for (const char* key : {"_SYSTEMD_UNIT=", "UNIT="}) {
            const std::string match = std::string{key} + unit;
            if (const int done = sd_journal_add_match(journal, match.data(), match.size()); done < 0) return done;
            if (const int done = sd_journal_add_disjunction(journal); done < 0) return done;
        }
    return 0;
}

} // namespace

Literals Literals::of(const std::vector<std::filesystem::path>& files) {
    std::vector<std::string> programs;
    for (const auto& file : files)
        if (auto text = base::read_text(file, program_bytes_max)) programs.push_back(std::move(*text));
    return Literals{std::move(programs)};
}

bool Literals::holds(std::string_view text) const {
    if (text.empty() || text.find('\0') != std::string_view::npos) return false;
    if (const auto known = known_.find(text); known != known_.end()) return known->second;
    const std::string ended = std::string{text} + '\0';
    const bool found = std::any_of(programs_.begin(), programs_.end(),
                                   [&](const auto& program) { return program.find(ended) != std::string::npos; });
    if (known_.size() < known_max) known_.emplace(text, found);
    return found;
}

json to_json(const JournalLine& line, const Literals& literals) {
    const bool ours = std::find(units.begin(), units.end(), line.unit) != units.end();
    json out{{"at", base::rfc3339(line.at)}, {"unit", ours ? json(line.unit) : json{}}, {"priority", line.priority}};
    if (!line.message_id.empty()) {
        constexpr std::string_view digits = "0123456789abcdef", letters = "abcdefghijklmnopqrstuvwxyz-";
        out["message_id"] = is_all(line.message_id, digits) ? json(line.message_id) : json{};
        if (!line.result.empty()) out["result"] = is_all(line.result, letters) ? json(line.result) : json{};
        if (line.exit >= 0) out["exit"] = line.exit;
        return out;
    }
    const auto said = told(line.message, literals);
    if (!said) {
        out["left_out_bytes"] = line.message.size();
        return out;
    }
    out.update({{"area", said->area}, {"what", said->what}});
    if (!said->remedy.empty()) out["remedy"] = said->remedy;
    if (!said->facts.empty()) out["facts"] = said->facts;
    return out;
}

Result<std::vector<JournalLine>> read_journal(const std::filesystem::path& folder) {
    sd_journal* raw = nullptr;
    const int opened = folder.empty() ? sd_journal_open(&raw, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM)
                                      : sd_journal_open_directory(&raw, folder.c_str(), 0);
    const Journal journal{raw};
    if (opened < 0) return Error{Errc::offline, "this machine has no journal", "", {}, -opened};
    int done = match_units(journal.get());
    if (done >= 0) done = sd_journal_seek_tail(journal.get());
    if (done < 0) return Error{Errc::offline, "the journal cannot be read", "", {}, -done};
    std::vector<JournalLine> lines;
    while (lines.size() < journal_lines_max && (done = sd_journal_previous(journal.get())) > 0)
        lines.push_back(line_of(journal.get()));
    if (done < 0 && lines.empty()) return Error{Errc::offline, "the journal cannot be read", "", {}, -done};
    std::reverse(lines.begin(), lines.end());
    return lines;
}

} // namespace clinic::bundle
