#include "provisioning/setup/answers.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "provisioning/setup/public_pem.h"
#include "provisioning/setup/words_file.h"
#include "sync/envelope/frame.h"

namespace clinic::setup {
namespace {

using nlohmann::json;

constexpr std::size_t file_bytes_max = 262'144, pem_bytes_max = 65'536, secret_bytes_max = 32'768;
constexpr std::array ids{"pid", "stage", "last", "next", "appt_status", "appt_when"};
constexpr int half_a_day_ms = 43'200'000;

bool is_name(const std::string& text) {
    return text.size() <= 32 && text.front() != '-' && std::all_of(text.begin(), text.end(), [](char letter) {
               return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-';
           });
}

bool is_zone(const std::string& name) {
    std::error_code none;
    return name == "UTC" || (name.front() != '/' && name.find("..") == std::string::npos &&
                             std::filesystem::is_regular_file("/usr/share/zoneinfo/" + name, none));
}

bool is_date(const std::string& text) {
    return text.size() == 10 && text[4] == '-' && text[7] == '-' &&
           std::count_if(text.begin(), text.end(), [](char letter) { return letter >= '0' && letter <= '9'; }) == 8;
}

// A file of certificates, which is no secret.
void check_pem(Fields& fields, const char* key, const std::filesystem::path& file) {
    if (file.empty()) return;
    const auto text = base::read_text(file, pem_bytes_max);
    if (!text) return fields.fault(key, "cannot be read");
    if (const auto found = certificates_in(*text); !found) fields.fault(key, found.error().what.c_str());
}

void check_secret(Fields& fields, const char* key, const std::filesystem::path& file) {
    if (file.empty()) return;
    const auto wrong = wrong_with_secret(file);
    if (!wrong.empty()) fields.fault(key, wrong);
}

json read_ids(const json& object, Faults& faults) {
    json all = json::object();
    std::set<std::string> seen;
    Fields fields{object, "ghl.fields.", faults};
    for (const char* id : ids) {
        const std::string said = fields.text(id);
        if (!said.empty() && !envelope::is_contact_id(said)) fields.fault(id, "is not the id of a custom field");
        if (!said.empty() && !seen.insert(said).second) fields.fault(id, "is the id of another field as well");
        all[id] = said;
    }
    return all;
}

Ghl read_ghl(const json& object, Faults& faults) {
    Ghl ghl;
    Fields fields{object, "ghl.", faults};
    ghl.base = fields.text("base");
    if (!ghl.base.empty() && (!ghl.base.starts_with("https://") || ghl.base.size() < 10))
        fields.fault("base", "is not https://HOST or https://HOST:PORT");
    ghl.location = fields.text("location");
    if (!ghl.location.empty() && !envelope::is_contact_id(ghl.location))
        fields.fault("location", "is not the id of a GHL location");
    if (fields.has("tag_prefix")) ghl.tag_prefix = fields.text("tag_prefix");
    ghl.token_file = fields.path_or_null("token_file");
    if (ghl.token_file) check_secret(fields, "token_file", *ghl.token_file);
    if (fields.has("ca_file")) {
        ghl.ca_file = fields.path("ca_file");
        check_pem(fields, "ca_file", *ghl.ca_file);
    }
    if (fields.has("fields")) ghl.fields = read_ids(fields.object("fields"), faults);
    if (fields.has("index_lag_ms"))
        ghl.index_lag_ms = static_cast<int>(fields.number("index_lag_ms", 0, half_a_day_ms));
    if (fields.has("late_ms")) ghl.late_ms = static_cast<int>(fields.number("late_ms", 0, half_a_day_ms));
    if (fields.has("call_timeout_s")) ghl.call_timeout_s = static_cast<int>(fields.number("call_timeout_s", 1, 600));
    return ghl;
}

Ops read_ops(const json& object, Faults& faults) {
    Ops ops;
    Fields fields{object, "ops.", faults};
    ops.host = fields.text("host");
    ops.port = static_cast<int>(fields.number_or("port", ops.port, 1, 65'535));
    ops.ca_file = fields.path("ca_file");
    check_pem(fields, "ca_file", ops.ca_file);
    ops.certificate_file = fields.path("certificate_file");
    check_pem(fields, "certificate_file", ops.certificate_file);
    ops.key_file = fields.path("key_file");
    check_secret(fields, "key_file", ops.key_file);
    return ops;
}

void check_feed(const json& one, std::size_t at, std::set<std::string>& names, Faults& faults) {
    const std::string path = "feeds[" + std::to_string(at) + "].";
    Fields fields{one, path, faults};
    const std::string name = fields.text("name");
    if (!name.empty() && !is_name(name)) fields.fault("name", "has letters that a name may not have: a-z, 0-9 and -");
    if (!name.empty() && !names.insert(name).second) fields.fault("name", "is another sender's as well");
    if (!fields.has("addresses") && !fields.has("certificate"))
        fields.fault("addresses", "is missing, and so is certificate: say where it comes from");
    if (fields.has("addresses"))
        for (const json& address : fields.list("addresses"))
            if (!address.is_string()) fields.fault("addresses", "has one that is no text");
    for (const char* key : {"certificate", "sender", "character_set", "acknowledgement", "preadmit", "expect", "hours"})
        if (fields.has(key)) fields.text(key);
    if (fields.has("status_words")) fields.object("status_words");
}

// The same wherever it is read from: the answers have it at their top.
void read_into(Fields& fields, Claim& claim, Faults& faults) {
    claim.organization = fields.text("organization");
    claim.clinic = fields.text("clinic");
    claim.box = fields.text("box");
    if (!claim.box.empty() && !is_name(claim.box))
        fields.fault("box", "is not of small letters, digits and -, at most 32");
    if (claim.box == "new-box") fields.fault("box", "is the name of a box that has none");
    claim.zone = fields.text("zone");
    if (!claim.zone.empty() && !is_zone(claim.zone)) fields.fault("zone", "is not a zone such as America/Denver");
    claim.ghl = read_ghl(fields.object("ghl"), faults);
    if (const json* ops = fields.object_or_null("ops")) claim.ops = read_ops(*ops, faults);
}

void read_into(Fields& fields, Terms& terms, const std::filesystem::path& templates, Faults& faults) {
    terms.template_id = fields.text("template");
    std::optional<Template> chosen;
    if (!terms.template_id.empty()) {
        Faults found;
        chosen = read_template(templates, terms.template_id, found);
        for (const auto& one : found) fields.fault("template", "cannot be used: " + one);
    }
    Fields basis{fields.object("basis"), "basis.", faults};
    terms.basis = basis.text("mode");
    if (chosen && !terms.basis.empty() && !chosen->fits(terms.basis))
        basis.fault("mode", "does not fit the template, which has off and what its file names");
    terms.expires = basis.text_or("expires", "");
    if (!terms.expires.empty() && !is_date(terms.expires)) basis.fault("expires", "is not a date as YYYY-MM-DD");
    if (basis.has("evidence_file")) {
        terms.evidence_file = basis.path("evidence_file");
        if (access(terms.evidence_file->c_str(), R_OK) != 0) basis.fault("evidence_file", "cannot be read");
    }
    if (terms.basis == "baa" && (!terms.evidence_file || terms.expires.empty()))
        basis.fault("mode", "is baa, which needs evidence_file and expires");
    terms.unlinked = fields.text_or("unlinked", chosen ? chosen->unlinked.c_str() : "");
    if (!terms.unlinked.empty() && terms.unlinked != "park" && terms.unlinked != "shell")
        fields.fault("unlinked", "is neither park nor shell");
}

} // namespace

std::string wrong_with_secret(const std::filesystem::path& file) {
    struct stat about {};
    if (lstat(file.c_str(), &about) != 0) return "cannot be read";
    if (!S_ISREG(about.st_mode)) return "is not a file";
    if ((about.st_mode & 077) != 0) return "may be read by others: chmod 0600 it";
    if (about.st_uid != geteuid()) return "is another user's: it must belong to who runs the setup";
    if (about.st_size == 0) return "is empty";
    return about.st_size > static_cast<off_t>(secret_bytes_max) ? "is longer than a secret is" : std::string{};
}

Claim read_claim(const json& object, Faults& faults) {
    Claim claim;
    Fields fields{object, "", faults};
    read_into(fields, claim, faults);
    return claim;
}

Terms read_terms(const json& object, const std::filesystem::path& templates, Faults& faults) {
    Terms terms;
    Fields fields{object, "", faults};
    read_into(fields, terms, templates, faults);
    return terms;
}

Keys read_keys(const json& object, const std::optional<std::string>& mark, Faults& faults) {
    Keys keys;
    Fields fields{object, "keys.", faults};
    keys.words_file = fields.path_or_null("recovery_words_file");
    const auto wrong = keys.words_file && mark ? wrong_with_words_file(*keys.words_file, *mark) : std::string{};
    if (!wrong.empty()) fields.fault("recovery_words_file", wrong);
    keys.passphrase_file = fields.path_or_null("passphrase_file");
    if (keys.passphrase_file) check_secret(fields, "passphrase_file", *keys.passphrase_file);
    return keys;
}

Feeds read_feeds(const json& list, Faults& faults) {
    Feeds feeds;
    std::set<std::string> names;
    for (std::size_t at = 0; at < list.size(); ++at) check_feed(list.at(at), at, names, faults);
    feeds.feeds = list;
    return feeds;
}

std::optional<Answers> read_answers(const std::filesystem::path& file, const std::filesystem::path& templates,
                                    const std::optional<std::string>& mark, Faults& faults) {
    const auto text = base::read_text(file, file_bytes_max);
    const auto parsed = text ? base::parse_json(*text, file_bytes_max, 6) : Result<json>{text.error()};
    if (!parsed) {
        faults.push_back(std::string{"the file of answers: "} + parsed.error().what.c_str());
        return std::nullopt;
    }
    Answers answers;
    {
        Fields fields{*parsed, "", faults};
        fields.number("v", 1, 1);
        read_into(fields, answers.claim, faults);
        read_into(fields, answers.terms, templates, faults);
        answers.keys = read_keys(fields.object("keys"), mark, faults);
        answers.feeds = read_feeds(fields.list("feeds"), faults);
        answers.feeds.wait_s = static_cast<int>(fields.number_or("feeds_wait_s", 0, 0, 86'400));
    }
    return faults.empty() ? std::optional{std::move(answers)} : std::nullopt;
}

} // namespace clinic::setup
