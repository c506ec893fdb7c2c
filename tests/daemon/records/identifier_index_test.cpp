#include "daemon/records/identifier_index.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <map>
#include <random>
#include <thread>

#include "daemon/records/token_counts.h"
#include "tests/daemon/release/disguises.h"
#include "tests/daemon/release/people.h"
#include "tests/fakes/manual_clock.h"
#include "tests/fakes/temp_folder.h"
#include "tests/support/campaign.h"

namespace clinic::records {
namespace {

using release::testing::Disguise;
using release::testing::disguises;
using release::testing::groupings;
using release::testing::People;
using release::testing::Person;

class IdentifierIndexTest : public ::testing::Test {
protected:
    IdentifierIndexTest() {
        EXPECT_TRUE(crypto::start());
        auto opened = Store::open({.folder = folder_ / "records", .make = true},
                                  crypto::KeySlot::from_key(crypto::SecureBytes::random(32)), clock_);
        EXPECT_TRUE(opened);
        store_ = std::move(*opened);
        index_ = std::make_unique<IdentifierIndex>(key_);
    }

    PatientId keep(const std::vector<IdentifierValue>& values, std::optional<PatientId> as = std::nullopt) {
        const PatientId id = as ? *as : PatientId::make(clock_.now());
        EXPECT_TRUE(store_->write([&](Transaction& txn) { return index_->replace(txn, id, values); }));
        return id;
    }

    // A whole snapshot of what is stored, so many rows at a time.
    void load(IdentifierIndex& index, std::int64_t rows_max = 1'000) const {
        ASSERT_TRUE(store_->read([&](Snapshot& snapshot) { return load_on(index, snapshot, 0, rows_max); }));
    }
    static Result<void> load_on(IdentifierIndex& index, Snapshot& snapshot, std::int64_t after, std::int64_t rows_max) {
        for (std::optional<std::int64_t> next = after; next;) {
            EXPECT_FALSE(index.is_loaded());
            auto loaded = index.load(snapshot, *next, rows_max);
            if (!loaded) return loaded.error();
            next = *loaded;
        }
        EXPECT_TRUE(index.is_loaded());
        return {};
    }

    // As the last check asks: the text, and the text as a whole value.
    bool found(std::string_view text) const { return index_->found_in(text, {text}); }

    fakes::TempFolder folder_;
    fakes::ManualClock clock_;
    crypto::SecureBytes key_ = crypto::SecureBytes::random(32);
    std::unique_ptr<Store> store_;
    std::unique_ptr<IdentifierIndex> index_;
};

// Each round is a person more: nine values in every form, and the numbers in every grouping.
TEST_F(IdentifierIndexTest, FindsEveryIdentifierInEveryForm) {
    support::Campaign rounds{{.name = "identifier_forms",
                              .what = "disguised values",
                              .plain = 60,
                              .most = 5'000,
                              .weight = 9 * disguises().size() + 3 * groupings().size()}};
    const auto find_all = [&](const std::string& value, const std::vector<Disguise>& forms) {
        for (const Disguise& form : forms) EXPECT_TRUE(found(form.put_on(value))) << value << " " << form.name;
    };
    while (const auto seed = rounds.next()) {
        const Person person = People{*seed}.next();
        keep(person.values());
        const std::string date = person.birth_date, year = date.substr(0, 4), month = date.substr(4, 2),
                          day = date.substr(6);
        for (const std::string& value :
             {person.family, person.given, person.phone, person.email, person.number, date,
              month + "/" + day + "/" + year, day + "." + month + "." + year, person.given + " " + person.family}) {
            find_all(value, disguises());
        }
        for (const std::string& number : {person.phone, person.number, date}) find_all(number, groupings());
    }
}

TEST_F(IdentifierIndexTest, FindsAccentedNamesHoweverTheyAreSpelled) {
    keep({{IdentifierKind::name, "M\u00FCller-L\u00FCdensch\u00EFed"},
          {IdentifierKind::name, "\u0141ukasz"},
          {IdentifierKind::name, "Gro\u00DFmann"}});
    for (const char* text : {"M\u00FCller", "Muller", "MUELLER", "m\u0075\u0308ller", "M%FCller",
                             "L\u00DCDENSCH\u00CFED", "Lukasz", "Grossmann", "M&uuml;ller", "Gro&szlig;mann"}) {
        EXPECT_TRUE(found(text)) << text;
    }
}

TEST_F(IdentifierIndexTest, FindsNamesOfOtherScripts) {
    keep({{IdentifierKind::name, "\u0418\u0432\u0430\u043D\u043E\u0432\u0430"},
          {IdentifierKind::name, "\u03A0\u03B1\u03C0\u03B1\u03B4\u03CC\u03C2"}});
    EXPECT_TRUE(found("\u0438\u0432\u0430\u043D\u043E\u0432\u0430"));
    EXPECT_TRUE(found("\u0418\u0412\u0410\u041D\u041E\u0412\u0410"));
    EXPECT_TRUE(found("\\u0418\\u0432\\u0430\\u043d\\u043e\\u0432\\u0430"));
    EXPECT_TRUE(found("\u03C0\u03B1\u03C0\u03B1\u03B4\u03CC\u03C2"));
}

// Beyond the first 65,536 characters: written as they are, as JSON's pairs, and as HTML's numbers.
TEST_F(IdentifierIndexTest, FindsNamesInLettersThatOnlyLookLikeOthers) {
    keep({{IdentifierKind::name, "Quillfeather"}, {IdentifierKind::phone, "+1 617 555 0142"}});
    const auto drawn = [](std::string_view text, char32_t upper, char32_t lower, char32_t zero, auto written) {
        std::string out;
        for (const char c : text) {
            const auto sign = static_cast<char32_t>(c);
            if (c >= 'A' && c <= 'Z')
                out += written(upper + (sign - U'A'));
            else if (c >= 'a' && c <= 'z')
                out += written(lower + (sign - U'a'));
            else
                out += written(zero + (sign - U'0'));
        }
        return out;
    };
    const auto as_utf8 = [](char32_t point) {
        const auto low = [point](unsigned shift) { return static_cast<char>(0x80U | (point >> shift & 0x3FU)); };
        return std::string{static_cast<char>(0xF0U | point >> 18U), low(12), low(6), low(0)};
    };
    const auto as_json = [](char32_t point) {
        std::array<char, 16> text{};
        const auto above = static_cast<unsigned>(point) - 0x10000U;
        std::snprintf(text.data(), text.size(), "\\u%04x\\u%04x", 0xD800U + (above >> 10U), 0xDC00U + (above & 0x3FFU));
        return std::string{text.data()};
    };
    const auto as_html = [](char32_t point) { return "&#" + std::to_string(static_cast<unsigned>(point)) + ";"; };
    struct Alphabet {
        const char* name;
        char32_t upper, lower, zero;
    };
    for (const Alphabet& one :
         {Alphabet{"bold", 0x1D400, 0x1D41A, 0x1D7CE}, Alphabet{"script", 0x1D4D0, 0x1D4EA, 0x1D7D8},
          Alphabet{"monospace", 0x1D670, 0x1D68A, 0x1D7F6}, Alphabet{"tags", 0xE0041, 0xE0061, 0xE0030}}) {
        for (const char* value : {"Quillfeather", "6175550142"}) {
            EXPECT_TRUE(found(drawn(value, one.upper, one.lower, one.zero, as_utf8))) << one.name << value;
            EXPECT_TRUE(found(drawn(value, one.upper, one.lower, one.zero, as_json))) << one.name << value;
            EXPECT_TRUE(found(drawn(value, one.upper, one.lower, one.zero, as_html))) << one.name << value;
        }
    }
    EXPECT_FALSE(found(drawn("Somebody", 0x1D400, 0x1D41A, 0x1D7CE, as_json)));
}

TEST_F(IdentifierIndexTest, FindsLigaturesAndTheLettersThatTheyStandFor) {
    keep({{IdentifierKind::name, "D\u0133kstra"}, {IdentifierKind::name, "B\u0153uf\u00E6n"}});
    for (const char* text : {"Dijkstra", "D\u0132KSTRA", "Boeufaen", "B\u0152UF\u00C6N"})
        EXPECT_TRUE(found(text)) << text;
}

TEST_F(IdentifierIndexTest, ShortOnesCountOnlyAsAWholeValueOrToken) {
    keep({{IdentifierKind::name, "Li"},
          {IdentifierKind::name, "Wu"},
          {IdentifierKind::number, "A-17"},
          {IdentifierKind::number, "4711"}});
    for (const char* text :
         {"Li", "LI", " li ", "iL", "%4c%69", "TGk=", "4c69", "call Li now", "A-17", "a17", "4711", "{\"x\":\"Li\"}"}) {
        EXPECT_TRUE(found(text)) << text;
    }
    for (const char* text : {"alive", "link", "ce-lionheart", "x4711x", "14711", "A-170"})
        EXPECT_FALSE(found(text)) << text;
    EXPECT_TRUE(found("say LiWu now")) << "together they are of four letters and one token";
}

TEST_F(IdentifierIndexTest, ShortNamesTogetherAreLong) {
    keep({{IdentifierKind::name, "Ngo"}, {IdentifierKind::name, "Ana"}});
    EXPECT_TRUE(found("xxngoanaxx"));
    EXPECT_TRUE(found("xxana.ngoxx"));
    EXPECT_FALSE(found("xxanaxx"));
}

TEST_F(IdentifierIndexTest, FindsPhonesWithAndWithoutTheirCountryCode) {
    keep({{IdentifierKind::phone, "+1 (555) 010-2030"}, {IdentifierKind::phone, "+49 30 12345678"}});
    for (const char* text : {"5550102030", "15550102030", "001 555 010 2030", "555.010.2030", "030 12345678",
                             "004930 12345678", "49-30-123-456-78"}) {
        EXPECT_TRUE(found(text)) << text;
    }
    EXPECT_FALSE(found("555010203"));
}

TEST_F(IdentifierIndexTest, FindsDatesInTheUsualOrders) {
    keep({{IdentifierKind::date, "19800503"}});
    for (const char* text : {"1980-05-03", "05/03/1980", "03.05.1980", "5/3/1980", "3.5.1980", "19800503T000000Z"})
        EXPECT_TRUE(found(text)) << text;
    EXPECT_FALSE(found("1980"));
    EXPECT_FALSE(found("y2026"));
}

TEST_F(IdentifierIndexTest, DoesNotFindWhatIsNotThere) {
    People people{2};
    for (int i = 0; i < 200; ++i) keep(people.next().values());
    for (const char* text : {"", "-", "contact.state", "d8_30", "ce-recall-due", "p_0123456789ABCDEFGHJKMNPQRS",
                             "customFields", "y2026", "12345"}) {
        EXPECT_FALSE(found(text)) << text;
    }
}

TEST_F(IdentifierIndexTest, WhatIsReplacedOrRemovedIsForgotten) {
    const auto one = keep({{IdentifierKind::name, "Quillfeather"}});
    const auto two = keep({{IdentifierKind::name, "Quillfeather"}});
    keep({{IdentifierKind::name, "Marrowby"}}, one);
    EXPECT_TRUE(found("Marrowby"));
    EXPECT_TRUE(found("Quillfeather")) << "another has that name";
    ASSERT_TRUE(store_->write([&](Transaction& txn) { return index_->remove(txn, two); }));
    EXPECT_FALSE(found("Quillfeather"));
    ASSERT_TRUE(store_->write([&](Transaction& txn) { return index_->remove(txn, one); }));
    EXPECT_EQ(index_->size(), 0U);
}

TEST_F(IdentifierIndexTest, WhatIsRolledBackIsNotThere) {
    const auto failed = store_->write([&](Transaction& txn) -> Result<void> {
        CLINIC_TRY(index_->replace(txn, PatientId::make(clock_.now()), {{IdentifierKind::name, "Quillfeather"}}));
        return Error{Errc::refused, "on purpose"};
    });
    EXPECT_FALSE(failed);
    EXPECT_FALSE(found("Quillfeather"));
    EXPECT_EQ(index_->size(), 0U);
}

TEST_F(IdentifierIndexTest, LoadsWhatIsStored) {
    keep({{IdentifierKind::name, "Quillfeather"}, {IdentifierKind::phone, "+1 555 010 2030"}});
    for (const std::int64_t rows_max : {1, 2, 1'000}) {
        IdentifierIndex again{key_};
        load(again, rows_max);
        EXPECT_EQ(again.size(), index_->size());
        EXPECT_TRUE(again.found_in("quillfeather", {}));
    }
    IdentifierIndex stranger{crypto::SecureBytes::random(32)};
    load(stranger);
    EXPECT_FALSE(stranger.found_in("quillfeather", {})) << "the tokens mean nothing without the key";
}

// Each round: people are stored, and while their rows are read, slice by slice, people come, change and go, those of
// the rows that are read and those of the rows to come. At the end memory holds what the store holds.
TEST_F(IdentifierIndexTest, LosesNoChangeThatComesWhileItIsLoaded) {
    constexpr std::uint64_t changes = 40;
    support::Campaign rounds{
        {.name = "identifier_load", .what = "changes", .plain = 15, .most = 2'000, .weight = changes}};
    while (const auto seed = rounds.next()) {
        std::mt19937_64 random{*seed};
        const auto one_of = [&](std::size_t count) { return static_cast<std::size_t>(random() % count); };
        People people{*seed};
        std::map<PatientId, Person> all;
        const auto put = [&](Transaction& txn, IdentifierIndex& index, PatientId id) {
            all[id] = people.next();
            // Some share a name, so that a token goes only with the last of them.
            if (one_of(3) == 0) all[id].family = "Quillfeather";
            return index.replace(txn, id, all[id].values());
        };
        const auto somebody = [&] {
            return std::next(all.begin(), static_cast<std::ptrdiff_t>(one_of(all.size())))->first;
        };
        ASSERT_TRUE(store_->write([&](Transaction& txn) -> Result<void> {
            for (int i = 0; i < 20; ++i) CLINIC_TRY(put(txn, *index_, PatientId::make(clock_.now())));
            return {};
        }));
        IdentifierIndex loading{key_};
        const auto change = [&](Transaction& txn) -> Result<void> {
            const std::size_t what = all.empty() ? 0 : one_of(4);
            if (what == 0) return put(txn, loading, PatientId::make(clock_.now()));
            const PatientId id = somebody();
            if (what != 1) return put(txn, loading, id);
            all.erase(id);
            return loading.remove(txn, id);
        };
        ASSERT_TRUE(store_->read([&](Snapshot& snapshot) -> Result<void> {
            std::int64_t after = 0;
            for (std::uint64_t i = 0; i < changes; ++i) {
                const auto next = loading.load(snapshot, after, static_cast<std::int64_t>(1 + one_of(12)));
                CLINIC_TRY(next);
                if (!*next) break;
                after = **next;
                CLINIC_TRY(store_->write(change));
            }
            return loading.is_loaded() ? Result<void>{} : load_on(loading, snapshot, after, 50);
        }));
        IdentifierIndex stored{key_};
        load(stored);
        EXPECT_EQ(loading.size(), stored.size());
        for (const auto& [id, person] : all)
            for (const std::string& value : {person.family, person.given, person.phone, person.email, person.number})
                EXPECT_TRUE(loading.found_in(value, {value})) << value;
        // And nothing stays behind: not even a length.
        ASSERT_TRUE(store_->write([&](Transaction& txn) -> Result<void> {
            for (const auto& [id, person] : all) CLINIC_TRY(loading.remove(txn, id));
            return {};
        }));
        EXPECT_EQ(loading.size(), 0U);
    }
}

TEST(TokenCounts, CountsAsAMapDoes) {
    std::mt19937_64 random{7};
    TokenCounts counts;
    std::map<std::uint64_t, int> expected;
    for (int i = 0; i < 200'000; ++i) {
        // Few enough that many come and go again, some in the same place, and among them zero.
        const std::uint64_t token = random() % 3'000 * (random() % 2 == 0 ? 64 : 1);
        if (token == 1) continue; // is one with zero
        const int by = random() % 2 == 0 ? 1 : -1;
        counts.add(token, by);
        expected[token] += by;
    }
    std::size_t present = 0;
    for (const auto& [token, count] : expected) {
        EXPECT_EQ(counts.contains(token), count > 0) << token;
        present += count > 0 ? 1 : 0;
    }
    EXPECT_EQ(counts.size(), present);
    EXPECT_FALSE(counts.contains(1'000'001));
    EXPECT_FALSE(TokenCounts{}.contains(0));
}

TEST_F(IdentifierIndexTest, BlocksATextTooTangledToTell) {
    keep({{IdentifierKind::name, "Quillfeather"}});
    std::string tangle;
    People people{3};
    for (int i = 0; i < 4'000; ++i) tangle += people.from("ABCDEFGHabcdefgh0123456789", 12) + "!";
    EXPECT_TRUE(found(tangle));
}

TEST_F(IdentifierIndexTest, IsAskedWhileItChanges) {
    keep({{IdentifierKind::name, "Quillfeather"}});
    std::atomic<bool> stop{false};
    std::atomic<int> missed{0}, asked{0};
    std::thread reader{[&] {
        while (!stop) {
            if (!found("Quillfeather")) ++missed;
            ++asked;
        }
    }};
    People people{4};
    for (int i = 0; i < 50 || asked < 50; ++i) keep(people.next().values());
    stop = true;
    reader.join();
    EXPECT_EQ(missed, 0);
}

} // namespace
} // namespace clinic::records
