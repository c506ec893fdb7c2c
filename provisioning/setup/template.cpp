#include "provisioning/setup/template.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <span>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "sync/envelope/names.h"

namespace clinic::setup {
namespace {

using nlohmann::json;

constexpr std::size_t file_bytes_max = 65'536, status_words_max = 64;
constexpr std::array bases{"deid", "authorized", "baa", "consumer_consent"};
// What a word of SCH-25 may mean: docs/csv.md.
constexpr std::array statuses{"requested", "booked",  "confirmed",   "arrived",         "completed",
                              "cancelled", "no_show", "rescheduled", "entered_in_error"};

bool is_one_of(std::span<const char* const> words, const std::string& word) {
    return std::any_of(words.begin(), words.end(), [&](const char* one) { return word == one; });
}

// An object of texts that has exactly these keys.
std::map<std::string, std::string> complete(const json& object, const std::string& path,
                                            std::span<const char* const> keys, Faults& faults) {
    std::map<std::string, std::string> all;
    Fields fields{object, path, faults};
    for (const char* key : keys) all[key] = fields.text(key);
    return all;
}

std::map<std::string, std::string> read_status_words(const json& object, Faults& faults) {
    std::map<std::string, std::string> all;
    if (object.size() > status_words_max) faults.emplace_back("status_words has more than 64 words");
    for (const auto& [word, status] : object.items()) {
        if (status.is_string() && is_one_of(statuses, status.get<std::string>()))
            all[word] = status.get<std::string>();
        else
            faults.push_back("status_words." + word + " is no status of docs/csv.md");
    }
    return all;
}

std::vector<std::string> read_bases(const json& list, Faults& faults) {
    std::vector<std::string> all;
    for (const json& one : list) {
        if (!one.is_string() || !is_one_of(bases, one.get<std::string>()))
            faults.emplace_back("bases has one that is no legal basis");
        else
            all.push_back(one.get<std::string>());
    }
    if (all.empty()) faults.emplace_back("bases names none");
    return all;
}

std::string choice(Fields& fields, const char* key, std::span<const char* const> words) {
    std::string said = fields.text(key);
    if (!said.empty() && !is_one_of(words, said)) fields.fault(key, "is none of the words that it may be");
    return said;
}

Kept read_retention(const json& object, Faults& faults) {
    Kept kept;
    Fields fields{object, "retention.", faults};
    for (const auto& bound : kept_bounds)
        kept.*bound.days = static_cast<int>(fields.number(bound.key, bound.least, bound.most));
    return kept;
}

Template read_all(const json& object, Faults& faults) {
    static constexpr std::array unlinked{"park", "shell"}, preadmit{"person", "appointment"};
    Template read;
    Fields fields{object, "", faults};
    fields.number("v", 1, 1);
    read.id = fields.text("id");
    read.title = fields.text("title");
    read.bases = read_bases(fields.list("bases"), faults);
    read.unlinked = choice(fields, "unlinked", unlinked);
    read.preadmit = choice(fields, "preadmit", preadmit);
    read.expect = fields.text("expect");
    read.hours = fields.text("hours");
    read.vocabulary = complete(fields.object("vocabulary"), "vocabulary.", envelope::vocabulary, faults);
    read.status_words = read_status_words(fields.object("status_words"), faults);
    read.pipeline = complete(fields.object("pipeline"), "pipeline.", envelope::Names<envelope::Stage>::table, faults);
    read.kept = read_retention(fields.object("retention"), faults);
    return read;
}

} // namespace

bool Template::fits(const std::string& basis) const {
    return basis == "off" || std::find(bases.begin(), bases.end(), basis) != bases.end();
}

json Template::as_written() const {
    json written{{"id", id},
                 {"title", title},
                 {"vocabulary", vocabulary},
                 {"status_words", status_words},
                 {"pipeline", pipeline}};
    for (const auto& bound : kept_bounds) written["retention"][bound.key] = kept.*bound.days;
    return written;
}

std::optional<Template> read_template(const std::filesystem::path& folder, const std::string& id, Faults& faults) {
    const auto known = list_templates(folder);
    if (std::find(known.begin(), known.end(), id) == known.end()) {
        std::string all;
        for (const auto& one : known) all += (all.empty() ? "" : ", ") + one;
        faults.push_back("there is no such template; there are: " + (all.empty() ? "none" : all));
        return std::nullopt;
    }
    const auto file = folder / (id + ".json");
    const auto text = base::read_text(file, file_bytes_max);
    const auto parsed = text ? base::parse_json(*text, file_bytes_max, 4) : Result<json>{text.error()};
    if (!parsed) {
        faults.push_back(file.string() + ": " + parsed.error().what.c_str());
        return std::nullopt;
    }
    Faults found;
    auto read = read_all(*parsed, found);
    if (found.empty() && read.id != id) found.emplace_back("id is not the name of the file");
    for (const auto& one : found) faults.push_back(file.string() + ": " + one);
    return found.empty() ? std::optional{std::move(read)} : std::nullopt;
}

std::vector<std::string> list_templates(const std::filesystem::path& folder) {
    std::vector<std::string> ids;
    std::error_code none;
    for (const auto& one : std::filesystem::directory_iterator{folder, none})
        if (one.path().extension() == ".json") ids.push_back(one.path().stem().string());
    std::sort(ids.begin(), ids.end());
    return ids;
}

} // namespace clinic::setup
