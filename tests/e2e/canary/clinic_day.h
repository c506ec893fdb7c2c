// A day of a clinic in which every value that could be patient data is a canary: a word or number of its field, the
// same in the whole round, with letters or digits of its own for each person or message behind it.
//   Threads: one.
#pragma once

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
    // The value of a field, of person, message or row `n`.
    std::string word(std::string_view field, std::size_t n) const;
    std::string number(std::string_view field, std::size_t n) const;

    // People's stories, ten messages each: they come, are changed, booked, moved, seen, merged, and leave. Each
    // twentieth message is wrong in one of ten ways, and says names there; of the others each eighth is in Latin-1. Of
    // four connections that take turns each has the whole story of its people, in order.
    std::string message(std::size_t n) const;
    static bool is_wrong(std::size_t n) { return n % 20 == 7; }
    static std::size_t people(std::size_t messages) { return messages / messages_each; }

    std::string patients_csv(std::size_t rows) const; // some rows are wrong
    std::string appointments_csv(std::size_t rows) const;
    std::string consents_csv(std::size_t rows) const;
    // What some of the people of the messages want, in lines that are all right.
    std::string wishes_csv(std::size_t people, std::string_view scope, std::string_view state) const;

private:
    static constexpr std::size_t connections = 4, messages_each = 10;

    std::string header(const std::string& type, std::size_t n) const;
    std::string person(std::size_t p, bool died = false) const;
    std::string about(std::size_t p) const;
    std::string admission(const std::string& event, std::size_t n, std::size_t p, bool died = false) const;
    std::string schedule(const std::string& event, std::size_t n, std::size_t p, std::size_t appointment) const;
    std::string merge(std::size_t n, std::size_t p) const;
    std::string right(std::size_t n) const;
    std::string wrong(std::size_t n) const;
    std::string wrong_person(std::size_t n) const;

    std::map<std::string, std::string, std::less<>> words_, numbers_;
    std::string birth_, death_;
};

} // namespace clinic::e2e
