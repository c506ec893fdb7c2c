// All that the looks of one run share: the places, and the answers of those that were asked, each once and all at the
// same time.
//   Errors:  an answer is the error that its source gave.
//   Threads: looks read it from theirs.
#pragma once

#include <nlohmann/json.hpp>

#include "provisioning/check/later.h"
#include "provisioning/check/site.h"
#include "sync/diagnose/said/said.h"
#include "systemd/manager.h"

namespace clinic::check {

inline constexpr std::size_t file_bytes_max = 16 * 1'048'576; // dpkg's status is the longest
inline constexpr std::chrono::seconds answer_max{5}, ways_max{10};

struct Scene {
    explicit Scene(Site given);

    Site site;
    Result<nlohmann::json> clinicd_settings, syncd_settings; // as the files are: an object
    std::filesystem::path records;                           // of the settings, else the package's own
    Later<Result<systemd::Services>> services;
    Later<Result<nlohmann::json>> status, containment; // clinicd's, as control.sock has them
    Later<Result<diagnose::Said>> ways;                // clinic-syncd's
    Later<Result<systemd::Unit>> rules;                // of rules_unit, which has looked

    std::filesystem::path under(const std::string& path) const { return site.root / path; } // "proc/meminfo"
    // Empty: it is not there, or cannot be read.
    std::string text(const std::string& path) const;

    Result<systemd::Services> units() const;
    Result<systemd::Unit> rules_looked_at() const;
    Result<diagnose::Said> ways_said() const; // as far as it is there: syncd.answers has waited for it
    // null where clinicd does not answer: what asks for it follows from that check.
    nlohmann::json said() const;
    nlohmann::json contained() const;
};

// The value behind these keys as a text; empty: there is none.
std::string text_at(const nlohmann::json& object, std::initializer_list<const char*> keys);
std::int64_t number_at(const nlohmann::json& object, std::initializer_list<const char*> keys);
bool flag_at(const nlohmann::json& object, std::initializer_list<const char*> keys);

nlohmann::json object_at(const nlohmann::json& object, std::initializer_list<const char*> keys); // else an empty one
std::vector<unsigned short> ports_of(const nlohmann::json& containment); // that clinicd listens at

} // namespace clinic::check
