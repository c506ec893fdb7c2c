// How far the setup of this box has come: one file, written anew and durable after each step, so that a power cut at
// any moment leaves the state before the step or the one after it. No secret is in it, and nobody's name but the
// clinic's.
//   Form:    docs/setup.md, "Where it stands"; STATE/progress.json, root's alone.
//   Errors:  malformed (somebody else wrote it), conflict (another setup runs now), system, full.
//   Threads: one.
#pragma once

#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/base/clock.h"
#include "crypto/base/owned.h"
#include "crypto/base/result.h"

namespace clinic::setup {

enum class Step : std::uint8_t { preflight, claim, terms, keys, feeds, proof };
inline constexpr std::array steps{Step::preflight, Step::claim, Step::terms, Step::keys, Step::feeds, Step::proof};
inline constexpr const char* test_person = "test_person"; // noted: whom a proof sends that is not finished
const char* name(Step step);                              // "preflight"
const char* title(Step step);                             // "Is this machine fit?"
std::optional<Step> step_of(std::string_view name);

class Progress {
public:
    // The folder is made where it is not there. `lock`: false for who only looks.
    static Result<Progress> open(const std::filesystem::path& folder, bool lock);

    bool is_done(Step step) const;
    bool is_complete() const;
    nlohmann::json facts(Step step) const; // what it found and did; an empty object where it is not done
    std::string done_at(Step step) const;  // RFC 3339; empty: it is not done
    // Durable. A step that is done again takes back the proof, which was of what was there before; each proof has its
    // own test person, and so the note of one goes with whatever was finished.
    Result<void> finish(Step step, nlohmann::json facts, Timestamp now);
    // Before the first byte of what must be known after a cut in the middle of a step.
    Result<void> note(const std::string& key, std::string value);
    std::string noted(const std::string& key) const; // empty: it is not

private:
    Progress(std::filesystem::path file, nlohmann::json state, base::UniqueFd lock)
        : file_{std::move(file)}, state_(std::move(state)), lock_{std::move(lock)} {} // braces would make it a list
    Result<void> write(nlohmann::json next);

    std::filesystem::path file_;
    nlohmann::json state_;
    base::UniqueFd lock_;
};

} // namespace clinic::setup
