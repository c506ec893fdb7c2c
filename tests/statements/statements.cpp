#include "tests/statements/statements.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>

namespace clinic::statements {
namespace {

constexpr std::array<std::string_view, 7> verbs{"SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "VALUES"};
// They read and change no row: the life of a transaction, the checks of the opening, and a test's own refusals.
constexpr std::array<std::string_view, 8> others{"BEGIN",  "ROLLBACK", "SAVEPOINT",           "RELEASE",
                                                 "PRAGMA", "COMMIT",   "CREATE TEMP TRIGGER", "DROP TRIGGER"};

bool begins_with_one(std::string_view text, std::span<const std::string_view> words) {
    return std::ranges::any_of(words, [text](std::string_view word) {
        return text.starts_with(word) && text.size() > word.size() + 1 && text[word.size()] == ' ';
    });
}

char escaped(char letter) {
    switch (letter) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case '0': return '\0';
    default: return letter;
    }
}

bool may_begin_something(char c) {
    return c == '/' || c == '"' || c == '\'' || c == 'R';
}

class Reading {
public:
    explicit Reading(std::string_view source) : source_{source} {}

    std::vector<std::string> literals() {
        while (at_ < source_.size()) step();
        end_literal();
        return std::move(literals_);
    }

private:
    bool here(std::string_view text) const { return source_.substr(at_).starts_with(text); }
    void pass(std::size_t from, std::string_view end) {
        const auto found = source_.find(end, from);
        at_ = found == std::string_view::npos ? source_.size() : found + end.size();
    }
    void end_literal() {
        if (open_) literals_.push_back(std::move(*open_));
        open_.reset();
    }

    // Between literals nearly all is passed over: under a sanitizer each look at a byte has its price, and every test
    // of a store reads all sources.
    void step() {
        if (!open_)
            at_ = static_cast<std::size_t>(
                std::find_if(source_.begin() + static_cast<std::ptrdiff_t>(at_), source_.end(), may_begin_something) -
                source_.begin());
        if (at_ == source_.size()) return;
        const char c = source_[at_];
        if (here("//")) return pass(at_, "\n");
        if (here("/*")) return pass(at_, "*/");
        if (here("R\"")) return raw();
        if (c == '"') return quoted();
        if (c == ' ' || c == '\n' || c == '\t') {
            ++at_;
            return;
        }
        end_literal();
        const bool in_number = at_ > 0 && std::isalnum(static_cast<unsigned char>(source_[at_ - 1])) != 0;
        if (c == '\'' && !in_number) return character();
        ++at_;
    }

    void raw() {
        const auto bracket = source_.find('(', at_);
        const std::string end = ")" + std::string{source_.substr(at_ + 2, bracket - at_ - 2)} + "\"";
        const auto last = source_.find(end, bracket);
        if (!open_) open_.emplace();
        open_->append(source_.substr(bracket + 1, last - bracket - 1));
        at_ = last + end.size();
    }

    void quoted() {
        if (!open_) open_.emplace();
        for (++at_; at_ < source_.size() && source_[at_] != '"'; ++at_) {
            const bool escape = source_[at_] == '\\' && at_ + 1 < source_.size();
            *open_ += escape ? escaped(source_[++at_]) : source_[at_];
        }
        ++at_;
    }

    void character() {
        for (++at_; at_ < source_.size() && source_[at_] != '\''; ++at_)
            if (source_[at_] == '\\') ++at_;
        ++at_;
    }

    std::string_view source_;
    std::size_t at_ = 0;
    std::optional<std::string> open_;
    std::vector<std::string> literals_;
};

std::set<std::string> texts_of(std::string_view folder) {
    std::set<std::string> texts;
    for (const auto& found : in_sources(folder)) texts.insert(found.text);
    return texts;
}

} // namespace

std::vector<std::string> literals_of(std::string_view source) {
    return Reading{source}.literals();
}

bool is_statement(std::string_view text) {
    return begins_with_one(text, verbs);
}

std::vector<Found> in_sources(std::string_view folder) {
    const std::filesystem::path root{CLINIC_SOURCE_DIR};
    std::vector<Found> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{root / folder}) {
        const auto& path = entry.path();
        if (!entry.is_regular_file() || (path.extension() != ".cpp" && path.extension() != ".h")) continue;
        std::ifstream in{path};
        const std::string source{std::istreambuf_iterator<char>{in}, {}};
        for (auto& text : literals_of(source))
            if (is_statement(text)) all.push_back({std::move(text), path.lexically_relative(root).string()});
    }
    return all;
}

void expect_known(const records::Store& store) {
    static const std::set<std::string> product = texts_of("daemon");
    static const auto in_tests = [](const std::string& text) {
        static const std::set<std::string> tests = texts_of("tests");
        return tests.contains(text);
    };
    for (const auto& one : store.statements()) {
        const std::string text = one.sql.c_str();
        if (product.contains(text) || begins_with_one(text + " .", others) || in_tests(text)) continue;
        ADD_FAILURE() << "this statement was prepared, and the reading of the sources does not know it: " << text;
    }
}

} // namespace clinic::statements
