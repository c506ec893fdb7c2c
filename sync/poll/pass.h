// A pass over a list that is read over several rounds: since when what it showed has been told, and whether the one
// before showed something that it does not.
//   Units:   milliseconds UTC.
//   Bounds:  a number for each thing of the list, of two passes.
//   Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace clinic::poll {

class Pass {
public:
    // From the first page on. What a pass before it had not finished counts for nothing.
    void begin(std::int64_t told_since_ms);
    void saw(std::size_t key) { now_.push_back(key); }
    // Behind the last page. True: something of the pass before is missing.
    bool end();

    std::int64_t whole_since_ms() const { return whole_since_ms_; } // of the newest that came to its end; 0: none did

private:
    std::vector<std::size_t> now_, before_; // sorted, each once, when it has ended
    std::int64_t since_ms_ = 0, whole_since_ms_ = 0;
};

} // namespace clinic::poll
