// A practice system that sends without end: HL7 messages of people that nobody had yet, over MLLP.
//   Threads: Messages any; a Sender one.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "crypto/base/owned.h"

namespace clinic::bench {

// `newcomers`: every message is a new patient, so each is stored, indexed, released and delivered on its own.
// `day`: of ten messages two register somebody new, four correct somebody known, four book a visit.
// `repeated`: one person, and each message says otherwise under one control id: each is stored, and is an event for
// central ops.
// `bookings`: every message is a visit of somebody who was not known.
enum class Mix { newcomers, day, repeated, bookings };
Mix mix_named(const std::string& name);

class Messages {
public:
    explicit Messages(Mix mix);
    std::string next(); // each with a control id of its own

private:
    Mix mix_;
    std::string run_;   // apart from every other run on the same store
    std::string began_; // HL7 time
    std::atomic<std::int64_t> sent_{0}, people_{0};
};

class Sender {
public:
    explicit Sender(const std::string& address); // HOST:PORT
    void send(const std::string& message);
    void await_positive(); // ends the program when the answer is none, or is not positive

private:
    base::UniqueFd socket_;
    std::string received_;
};

base::UniqueFd connect_to(const std::string& address);

} // namespace clinic::bench
