// Where a leak could lie: each place searched, and what was found there in words.
//   Threads: one.
#pragma once

#include <string>
#include <vector>

#include "tests/e2e/box.h"
#include "tests/support/canary.h"

namespace clinic::e2e {

class Places {
public:
    Places(const Box& box, const support::Search& search) : box_{box}, search_{search} {}

    // Bytes that the caller has: an answer, a page, what was on the wire.
    void look(const std::string& place, const std::string& bytes);
    // Every file below the box's folder, and every file of the machine that belongs to one of its two users.
    void look_at_files();
    // Command lines, environments, names, mapped files, descriptors of all processes of the box.
    void look_at_processes();

    const std::vector<std::string>& found() const { return found_; } // "place: canary as form at N"
    std::uint64_t bytes() const { return bytes_; }                   // that were searched
    std::size_t files() const { return files_; }

private:
    void note(const std::string& place, const std::vector<support::Hit>& hits);

    const Box& box_;
    const support::Search& search_;
    std::vector<std::string> found_;
    std::uint64_t bytes_ = 0;
    std::size_t files_ = 0;
};

} // namespace clinic::e2e
