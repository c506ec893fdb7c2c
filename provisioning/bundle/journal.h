// What the box's own units said, without a word that is not ours: a line is told only where all of its text stands in
// our programs as it is, so that it was there before anybody's data was. Of any other line only that it was said.
//   Bounds:  lines_max, the newest.
//   Errors:  read_journal: offline (no journal here), unauthorized (it is not this user's to read).
//   Threads: any; a Literals is const once made.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"

namespace clinic::bundle {

inline constexpr std::size_t journal_lines_max = 500;

struct JournalLine {
    Timestamp at{};
    std::string unit;
    int priority = 6;
    std::string message;    // as it was written, without the level before it
    std::string message_id; // of systemd's own: 32 hexadecimal digits
    std::string result;     // of systemd's own: how the unit ended
    std::int64_t exit = -1; // of systemd's own: exit status; -1: none
};

// The texts that stand in programs, each ended by a zero byte.
class Literals {
public:
    explicit Literals(std::vector<std::string> programs) : programs_{std::move(programs)} {}
    // Of these files; those that cannot be read hold nothing.
    static Literals of(const std::vector<std::filesystem::path>& files);

    bool holds(std::string_view text) const;

private:
    std::vector<std::string> programs_; // as their files are
    mutable std::map<std::string, bool, std::less<>> known_;
};

// "records: the disk is full; free room code=full native=28": what it says, part by part.
nlohmann::json to_json(const JournalLine& line, const Literals& literals);

// Oldest first. `folder`: of the journal's files; empty: this machine's.
Result<std::vector<JournalLine>> read_journal(const std::filesystem::path& folder = {});

} // namespace clinic::bundle
