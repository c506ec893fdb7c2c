// What GHL last said of the day's requests, over a restart: a box that starts again and again spends no day twice.
//   Format:  an object of four integers and the location in rate.sealed: docs/ghl.md, "Rate".
//   Errors:  none for who asks: a file that is not there, or does not open, is a day of which nothing is known. One
//   that
//            cannot be written is in the log, once.
//   Threads: one at a time.
#pragma once

#include <optional>
#include <string>

#include "sync/lane/rate_budget.h"
#include "sync/lane/sealed_file.h"

namespace clinic::lane {

class RateFile {
public:
    RateFile(SealedFile file, std::string location) : file_{std::move(file)}, location_{std::move(location)} {}

    std::optional<Day> read(); // nothing of another location's
    // Written where it differs by a hundredth of the day, or forbids what was not forbidden: some hundred times a day.
    void keep(const std::optional<Day>& day);

private:
    SealedFile file_;
    std::string location_;
    std::optional<Day> kept_;
    bool logged_ = false;
};

} // namespace clinic::lane
