// A terminal of 80 columns with a program in it: what it says is waited for, and answered as a person would.
//   Threads: one.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace clinic::e2e {

class Terminal {
public:
    explicit Terminal(const std::string& command);
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    bool sees(const std::string& text); // behind what was seen before; false after 90 s
    bool answer(const std::string& question, const std::string& text);
    void type(const std::string& line);
    void interrupt(); // Ctrl-C
    bool ends();
    const std::string& seen() const { return seen_; }
    int answers() const { return answers_; }
    void count_from_here(); // what was typed and shown before is not counted
    // How long a person would need for what was counted.
    std::chrono::seconds by_hand(int words_on_paper) const;
    std::vector<std::string> lines() const;
    std::vector<std::string> grid() const; // the newest 24 numbered words

private:
    bool read_more(int timeout_ms);
    int master_ = -1;
    pid_t child_ = -1;
    std::string seen_;
    std::size_t at_ = 0, keys_ = 0, counted_from_ = 0;
    int answers_ = 0;
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

} // namespace clinic::e2e
