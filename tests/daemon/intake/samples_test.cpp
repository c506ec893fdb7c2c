// Whole messages from files: the project's own, with the answer beside each, and other projects' where they are at
// hand, with the answer by rule.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>

#include "crypto/base/files.h"
#include "daemon/intake/mllp_decoder.h"
#include "tests/daemon/intake/desk.h"

namespace clinic::intake {
namespace {

using testing::Desk;
using testing::field_of;

constexpr std::size_t file_bytes_max = 1'048'576;

struct Sample {
    std::string file, message;
    std::vector<std::string> columns;
};

std::filesystem::path own_samples() {
    return CLINIC_OWN_SAMPLES;
}
std::filesystem::path shared_samples() {
    const char* said = std::getenv("CLINIC_SHARED_SAMPLES");
    return std::filesystem::path{said != nullptr ? said : CLINIC_SHARED_SAMPLES_DEFAULT} / "hl7";
}

std::string read(const std::filesystem::path& file) {
    auto text = base::read_text(file, file_bytes_max);
    EXPECT_TRUE(text) << file;
    return text ? std::move(*text) : std::string{};
}

std::vector<Sample> samples(const std::filesystem::path& folder) {
    std::vector<Sample> out;
    const std::string index = read(folder / "index.tsv");
    for (const auto line : parts(index, '\n')) {
        const auto cells = parts(line, '\t');
        if (cells.size() < 2 || cells[0] == "file") continue;
        Sample sample{std::string{cells[0]}, read(folder / std::string{cells[0]}), {}};
        for (const auto cell : cells) sample.columns.emplace_back(cell);
        out.push_back(std::move(sample));
    }
    return out;
}

// A file may hold the frame's bytes too: as a connection would bring them.
std::string unframed(const std::string& message) {
    MllpDecoder decoder;
    const std::string framed = '\x0B' + message + "\x1C\r";
    std::string_view bytes = framed;
    EXPECT_EQ(decoder.feed(bytes), MllpDecoder::Step::frame);
    return decoder.take();
}

TEST(Samples, OwnOnesAreAnsweredAsTheirIndexSays) {
    const auto all = samples(own_samples());
    EXPECT_GE(all.size(), 40U);
    for (const auto& sample : all) {
        Desk desk;
        const std::string answer = desk.send(sample.message);
        EXPECT_EQ(field_of(answer, "MSA", 1), sample.columns[1]) << sample.file;
        const std::string error = field_of(answer, "ERR", 3);
        EXPECT_EQ(error.substr(0, sample.columns[2].size()), sample.columns[2]) << sample.file;
        const bool stored = answer.find("|AA|") != std::string::npos || answer.find("|CA|") != std::string::npos ||
                            answer.find("$AA$") != std::string::npos;
        EXPECT_EQ(desk.books().stored, stored ? 1 : 0) << sample.file;
        EXPECT_TRUE(desk.books().balanced()) << sample.file;
    }
}

TEST(Samples, OwnOnesInOneStoreLeaveTheBooksBalanced) {
    Desk desk;
    desk.open_basis();
    for (const auto& sample : samples(own_samples())) desk.send(sample.message);
    const auto books = desk.books();
    EXPECT_EQ(books.received, static_cast<std::int64_t>(samples(own_samples()).size()));
    EXPECT_TRUE(books.balanced());
}

// The rule, from what an independent reader found in the file: columns msh9 (3), msh10 (4), msh15 (6).
std::string answer_by_rule(const Sample& sample) {
    static const std::set<std::string> taken = {"A01", "A03", "A04", "A05", "A08", "A11", "A13", "A18", "A23", "A28",
                                                "A29", "A31", "A34", "A38", "A40", "A47", "S12", "S13", "S14", "S15",
                                                "S16", "S17", "S18", "S19", "S22", "S23", "S24", "S26"};
    const std::string type{part(sample.columns[3], '^', 1)}, event{part(sample.columns[3], '^', 2)};
    if (sample.columns[4].empty()) return "AE";
    const bool ours = (type == "ADT" || type == "SIU") && taken.contains(event);
    return std::string{acknowledgement_code(sample.columns[6], ours ? Outcome::stored : Outcome::refused)};
}

TEST(Samples, OtherProjectsMessagesAreAnsweredByRule) {
    if (!std::filesystem::exists(shared_samples())) GTEST_SKIP() << "no samples at " << shared_samples();
    const auto all = samples(shared_samples());
    EXPECT_FALSE(all.empty());
    for (const auto& sample : all) {
        Desk desk;
        const std::string answer = desk.send(unframed(sample.message));
        EXPECT_EQ(field_of(answer, "MSA", 1), answer_by_rule(sample)) << sample.file << '\n' << answer;
        EXPECT_EQ(field_of(answer, "MSA", 2), sample.columns[4]) << sample.file;
        const auto books = desk.books();
        EXPECT_TRUE(books.balanced() && books.received == 1) << sample.file;
        const std::string number = sample.columns.size() > 9 ? sample.columns[9] : "";
        const auto code = field_of(answer, "MSA", 1);
        if ((code == "AA" || code == "CA") && !number.empty()) {
            EXPECT_EQ(desk.count("SELECT count(*) FROM patient WHERE status = 0"), 1) << sample.file;
        }
    }
}

std::string mutated(std::string text, std::mt19937& random) {
    for (unsigned changes = 1 + random() % 4; changes > 0 && !text.empty(); --changes) {
        const std::size_t at = random() % text.size();
        switch (random() % 5) {
        case 0: text[at] = static_cast<char>(random()); break;
        case 1: text.erase(at, 1 + random() % 8); break;
        case 2: text.insert(at, 1, "|^~\\&\r\n\"\0$"[random() % 10]); break;
        case 3: text.insert(at, text.substr(at, random() % 40)); break;
        default: text.resize(at); break;
        }
    }
    return text;
}

// Damage of any kind: one answer each, never a crash, and books that balance.
TEST(Samples, MutatedOnesAreAlwaysAnswered) {
    const auto all = samples(own_samples());
    constexpr std::int64_t mutations = 10'000, together = 500;
    std::atomic<std::int64_t> positive{0}, other{0}, silent{0};
    Desk desk;
    std::mt19937 random{20261121}; // the same ones each time
    for (std::int64_t sent = 0; sent < mutations; sent += together) {
        for (std::int64_t one = 0; one < together; ++one)
            desk.ingest->message(mutated(all[random() % all.size()].message, random), false,
                                 [&](const std::string& text) {
                                     const std::string code = field_of(text, "MSA", 1);
                                     ++(code.empty() ? silent : code == "AA" || code == "CA" ? positive : other);
                                 });
        ASSERT_TRUE(desk.store->write([](records::Transaction&) { return Result<void>{}; }));
    }
    desk.store->write([](records::Transaction&) { return Result<void>{}; })
        .has_value(); // after what a failed job posted
    const auto books = desk.books();
    EXPECT_EQ(books.received, mutations);
    EXPECT_TRUE(books.balanced());
    EXPECT_EQ(books.stored + books.duplicate, positive);
    EXPECT_EQ(books.quarantined + books.refused, other);
    EXPECT_EQ(silent, 0);
    EXPECT_GT(books.quarantined, 0);
}

} // namespace
} // namespace clinic::intake
