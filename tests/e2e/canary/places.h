// Where a leak could lie: each place searched, and what was found there in words.
//   Threads: one.
#pragma once

#include <ctime>
#include <set>
#include <string>
#include <vector>

#include "tests/e2e/box.h"
#include "tests/support/canary.h"

namespace clinic::e2e {

timespec now(); // no file's time before it is later

class Places {
public:
    // Of the machine's files, those count that became what they are after `since`: an earlier run that was cut off left
    // its own.
    Places(const Box& box, const support::Search& search, timespec since) : box_{box}, search_{search}, since_{since} {}

    // Bytes that the caller has: an answer, a page, what was on the wire.
    void look(const std::string& place, const std::string& bytes);
    // The record of GHL's requests as it is, and each line's texts as they were before they became JSON.
    void look_at_requests(const std::string& place, const std::string& lines);
    // Every file below the box's folder but the emulated GHL's own state, and every file of the machine that belongs to
    // one of its two users.
    void look_at_files();
    // Of all processes of the box: command lines, environments, names of threads, mapped files, descriptors, and what
    // is in the files without a name that they have open or mapped: deleted ones and memory files.
    void look_at_processes();

    const std::vector<std::string>& found() const { return found_; } // "place: canary as form at N"
    std::uint64_t bytes() const { return bytes_; }                   // that were searched
    std::size_t files() const { return files_; }

private:
    void note(const std::string& place, const std::vector<support::Hit>& hits);
    void look_at_nameless_files(const std::filesystem::path& links);
    std::set<std::filesystem::path> files_of_the_users() const;

    const Box& box_;
    const support::Search& search_;
    timespec since_;
    std::vector<std::string> found_;
    std::uint64_t bytes_ = 0;
    std::size_t files_ = 0;
};

} // namespace clinic::e2e
