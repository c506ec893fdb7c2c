// A day of a clinic in which every value that could be patient data is a canary: a word or number of its field, the
// same in the whole round, with letters or digits of its own for each message behind it.
//   Threads: one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace clinic::e2e {

class ClinicDay {
public:
    explicit ClinicDay(std::uint64_t seed);

    // What must not be found anywhere.
    std::vector<std::string> canaries() const;
    // The value of a field in message `n`.
    std::string word(std::string_view field, std::size_t n) const;
    std::string number(std::string_view field, std::size_t n) const;

    // Admissions, updates, appointments, merges; each twentieth is wrong in one of many ways, and says names there.
    std::string message(std::size_t n) const;
    static bool is_wrong(std::size_t n) { return n % 20 == 7; }

    std::string patients_csv(std::size_t rows) const; // some rows are wrong
    std::string appointments_csv(std::size_t rows) const;
    std::string consents_csv(std::size_t rows) const;

private:
    std::string person(std::size_t n) const;
    std::string wrong(std::size_t n) const;
    std::string header(const std::string& type, std::size_t n) const;

    std::map<std::string, std::string, std::less<>> words_, numbers_;
    std::string birth_;
};

} // namespace clinic::e2e
