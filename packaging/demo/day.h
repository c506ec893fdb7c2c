// A day in the life of a demo clinic, as HL7 v2 messages of a practice system. Nobody in it exists.
#pragma once

#include <cstdint>
#include <ctime>
#include <random>
#include <string>

namespace clinic::demo {

// Deterministic for a seed and a start: the same people every day, other events.
class Day {
public:
    Day(std::uint32_t seed, std::time_t start);

    // The next message of the day, segments ended by CR; the first 2 x `people` register everybody and book.
    std::string next(std::time_t now);
    // Three requests to GHL each: the burst leaves room in its 100 in 10 seconds for a message that is sent by hand.
    static constexpr int people = 20;
    static constexpr int messages = 600; // then it is evening

private:
    std::string header(const char* type, std::time_t now);
    std::string person(int number) const;
    std::string registration(int number, std::time_t now);
    std::string schedule(const char* event, int number, const char* status, std::time_t when, std::time_t now);
    std::string event(std::time_t now);
    int pick(int count);

    std::mt19937 random_;
    std::time_t start_;
    std::int64_t sent_ = 0;
};

} // namespace clinic::demo
