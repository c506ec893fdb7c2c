// Generated people, the same every time: names of all lengths and scripts, phones, mails, numbers and dates.
#pragma once

#include <array>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/records/identifier_index.h"

namespace clinic::release::testing {

struct Person {
    std::string family, given, phone, email, number, birth_date; // birth_date: YYYYMMDD

    std::vector<records::IdentifierValue> values() const {
        using Kind = records::IdentifierKind;
        return {{Kind::name, family}, {Kind::name, given},    {Kind::phone, phone},
                {Kind::email, email}, {Kind::number, number}, {Kind::date, birth_date}};
    }
};

class People {
public:
    explicit People(std::uint64_t seed) : random_{seed} {}

    Person next() {
        Person person;
        person.family = word(5, 12) + (one_of(4) == 0 ? accent() : "") + word(0, 3);
        person.given = word(5, 9);
        person.phone = "+1 " + digits(3) + "-" + digits(3) + "-" + digits(4);
        person.email = lower(person.given) + "." + lower(word(5, 8)) + "@" + lower(word(4, 8)) + ".example";
        person.number = "MR" + digits(6 + one_of(5));
        person.birth_date = std::to_string(1930 + one_of(90)) + two(1 + one_of(12)) + two(1 + one_of(28));
        return person;
    }

    std::size_t one_of(std::size_t count) { return std::uniform_int_distribution<std::size_t>{0, count - 1}(random_); }

    std::string digits(std::size_t count) {
        std::string out;
        while (out.size() < count) out += static_cast<char>('0' + one_of(10));
        return out;
    }

    std::string from(std::string_view alphabet, std::size_t count) {
        std::string out;
        while (out.size() < count) out += alphabet[one_of(alphabet.size())];
        return out;
    }

    static std::string two(std::size_t number) { return (number < 10 ? "0" : "") + std::to_string(number); }

private:
    // Consonants and vowels in turn, the first upper case.
    std::string word(std::size_t letters_min, std::size_t letters_max) {
        const std::size_t letters = letters_min + one_of(letters_max - letters_min + 1);
        std::string out;
        while (out.size() < letters) out += from(out.size() % 2 == 0 ? "bcdfghjklmnprstvwz" : "aeiou", 1);
        if (!out.empty() && letters_min > 3) out[0] = static_cast<char>(out[0] - 'a' + 'A');
        return out;
    }
    std::string accent() {
        constexpr std::array accents{"\u00E9", "\u00FC", "\u00F1", "\u0142", "\u010D", "\u00DF"};
        return accents.at(one_of(accents.size()));
    }
    static std::string lower(std::string text) {
        if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
        return text;
    }

    std::mt19937_64 random_;
};

} // namespace clinic::release::testing
