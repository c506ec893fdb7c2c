// What clinics of a kind have in common: a data file of the package, chosen in the setup and shown before it counts.
//   Form:    docs/setup.md, "Templates"; closed, and complete: a word or stage that the box knows and the file does not
//            is a fault, and so is the reverse.
//   Threads: values; any.
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "provisioning/setup/fields.h"

namespace clinic::setup {

// How long what has an end is kept, and within which bounds: daemon/retention.h has the same.
struct Kept {
    int quarantine_days = 0, dead_letter_days = 0, ledger_years = 0;
};
struct KeptBound {
    const char* key;
    int Kept::*days;
    int least, most;
};
inline constexpr std::array kept_bounds{KeptBound{"quarantine_days", &Kept::quarantine_days, 7, 30},
                                        KeptBound{"dead_letter_days", &Kept::dead_letter_days, 30, 365},
                                        KeptBound{"ledger_years", &Kept::ledger_years, 6, 10}};

struct Template {
    std::string id, title;
    std::vector<std::string> bases;                  // legal bases that fit; `off` always does
    std::string unlinked, preadmit;                  // "park" or "shell"; "person" or "appointment"
    std::string expect, hours;                       // of a sender; "none", "always"
    std::map<std::string, std::string> vocabulary;   // the word that becomes a tag, and what it means here
    std::map<std::string, std::string> status_words; // of a practice system, and the status that each means
    std::map<std::string, std::string> pipeline;     // the stage in GHL's field, and the pipeline's stage for it
    Kept kept;
    nlohmann::json as_written() const; // for the hand-over: what was chosen

    bool fits(const std::string& basis) const;
};

// nullopt: `faults` says why. `id` is the file's name without its end.
std::optional<Template> read_template(const std::filesystem::path& folder, const std::string& id, Faults& faults);
std::vector<std::string> list_templates(const std::filesystem::path& folder); // ids, in order

} // namespace clinic::setup
