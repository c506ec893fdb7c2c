// A practice system with several senders: each speaks for people of its own, one message at a time, and sends the very
// same bytes again until they are acknowledged. Beside it the model: what GHL must hold of each person in the end.
//   Threads: one a Sender; what it wrote down is read when it has stopped.
#pragma once

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "crypto/base/owned.h"

namespace clinic::e2e {

// What a contact of ours shows at GHL.
struct Shown {
    std::string stage, last = "none", next = "none", appt_status, appt_when;
    std::vector<std::string> tags;
    friend bool operator==(const Shown&, const Shown&) = default;
};

class Person {
public:
    std::string number, family, given;
    bool active = true, merged = false;
    bool was_merged_into = false;              // several appointments: only moved from here on, never ended
    std::map<std::string, int> open;           // appointments to come, by key: days ahead
    std::map<std::string, std::string> status; // of each, as GHL is told
    std::string ended;                         // the only one, when it is over
    int ended_days = 0;

    Shown shown() const;
};

class Sender {
public:
    Sender(int mllp_port, std::string name, std::uint64_t seed, int people);
    ~Sender() { stop(); }
    Sender(const Sender&) = delete;
    Sender& operator=(const Sender&) = delete;

    void start();
    void stop(); // what is under way is acknowledged first

    const std::vector<Person>& people() const { return people_; }
    const std::vector<std::string>& acknowledged() const { return acknowledged_; } // whole messages, in order
    int resent() const { return resent_; }
    int refused() const { return refused_; } // answered, and not positively: sent again too. Any thread
    int yes() const { return yes_; }         // how many have been acknowledged. Any thread
    int made() const { return messages_; }   // how many have been made, with the one under way. Any thread

private:
    void run(const std::stop_token& stop);
    std::string next_message();
    std::string admit(Person& person);
    std::string move_or_end(Person& person);
    std::string merge(Person& survivor, Person& prior);
    void deliver(const std::string& message);
    std::string exchange(const std::string& message);
    int below(int bound) { return std::uniform_int_distribution<int>{0, bound - 1}(random_); }
    std::string control() { return name_ + "C" + std::to_string(++messages_); }
    int other_day(const Person& person);

    int port_;
    std::string name_;
    std::mt19937_64 random_;
    std::size_t admitted_ = 0;
    std::atomic<int> messages_{0}, yes_{0};
    int appointments_ = 0;
    std::vector<Person> people_;
    std::vector<std::string> acknowledged_;
    int resent_ = 0;
    std::atomic<int> refused_{0};
    base::UniqueFd socket_;
    std::jthread thread_; // last: joined first
};

} // namespace clinic::e2e
