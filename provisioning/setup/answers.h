// What the setup asks, as a file has it: docs/setup.md, "The file of answers". Read whole and checked before anything
// is changed; secrets are in files of their own, which nobody but their owner may read.
//   Errors:  all faults at once, each with its path.
//   Threads: values; any.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "provisioning/setup/template.h"

namespace clinic::setup {

struct Ghl {
    std::string base, location;
    std::optional<std::string> tag_prefix;           // this and all that is optional: else what the box has
    std::optional<std::filesystem::path> token_file; // none: the box is let in by a grant (ghl.oauth)
    std::optional<std::filesystem::path> ca_file;
    nlohmann::json fields = nlohmann::json::object(); // six ids, by our names; empty: they are found, or made, in GHL
    std::optional<int> index_lag_ms, late_ms, call_timeout_s;
};

struct Ops { // central operations' broker
    std::string host;
    int port = 8'883;
    std::filesystem::path ca_file, certificate_file, key_file;
};

struct Claim {
    std::string organization, clinic, box, zone;
    Ghl ghl;
    std::optional<Ops> ops;
};

struct Terms {
    std::string template_id, basis, expires, unlinked; // expires: empty, none; unlinked: the template's, where empty
    std::optional<std::filesystem::path> evidence_file;
};

struct Keys {
    std::optional<std::filesystem::path> words_file;      // where the recovery words are written; none: no such key
    std::optional<std::filesystem::path> passphrase_file; // none: no such key
};

struct Feeds {
    nlohmann::json feeds = nlohmann::json::array(); // as `feed-add` takes them
    int wait_s = 0;                                 // for the first message of each; 0: it is not waited for
};

struct Answers {
    Claim claim;
    Terms terms;
    Keys keys;
    Feeds feeds;
};

// Where faults of the parts are named by their paths in the file.
Claim read_claim(const nlohmann::json& object, Faults& faults);
Terms read_terms(const nlohmann::json& object, const std::filesystem::path& templates, Faults& faults);
// `mark`: of words that this setup wrote before a cut, which may be written over (words_file.h); empty: none may.
// nullopt: no words are going to be written, and their file is not looked at.
Keys read_keys(const nlohmann::json& object, const std::optional<std::string>& mark, Faults& faults);
Feeds read_feeds(const nlohmann::json& object, Faults& faults);

// nullopt: `faults` says why.
std::optional<Answers> read_answers(const std::filesystem::path& file, const std::filesystem::path& templates,
                                    const std::optional<std::string>& mark, Faults& faults);

// What is wrong with a file that holds a secret; empty: nothing. It must be a file of its owner's alone.
std::string wrong_with_secret(const std::filesystem::path& file);

} // namespace clinic::setup
