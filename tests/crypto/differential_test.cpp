// The same random work on a sealed store and on a plain database: after each step both say the same, and their pages
// are the same, byte by byte.
#include <algorithm>
#include <array>
#include <optional>

#include "crypto/first_page.h"
#include "tests/crypto/random_sql.h"
#include "tests/crypto/store_fixture.h"
#include "tests/support/campaign.h"

namespace clinic::crypto::tests {
namespace {

namespace fs = std::filesystem;

// A connection that writes and one that reads.
class Pair {
public:
    Pair(const char* vfs, const fs::path& database) : writer{vfs, database}, reader{vfs, database} {
        for (auto* one : {&writer, &reader}) {
            EXPECT_TRUE(one->is_open()) << database;
            prepare(one->get());
            one->run("PRAGMA synchronous=OFF; PRAGMA secure_delete=ON; PRAGMA cache_size=6");
        }
    }
    Connection writer, reader;
};

// Every page as SQLite sees it.
Bytes image(Connection& db) {
    sqlite3_int64 size = 0;
    const std::unique_ptr<unsigned char, base::FreedBy<sqlite3_free>> bytes{
        sqlite3_serialize(db.get(), "main", &size, 0)};
    if (bytes == nullptr) return {};
    const auto* begin = reinterpret_cast<const std::byte*>(bytes.get());
    return {begin, begin + size};
}

// What a step came to.
struct Outcome {
    std::vector<Rows> rows; // of each statement
    std::string pages, free_pages;
    int changes = 0;

    friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome outcome(Connection& db, const std::string& sql) {
    Outcome made;
    std::size_t from = 0;
    for (std::size_t end = 0; from < sql.size(); from = end + 1) {
        end = std::min(sql.find("; ", from), sql.size());
        made.rows.push_back(db.rows(sql.substr(from, end - from)));
    }
    made.pages = db.text("PRAGMA page_count");
    made.free_pages = db.text("PRAGMA freelist_count");
    made.changes = sqlite3_total_changes(db.get());
    return made;
}

class Differential : public StoreTest, public testing::WithParamInterface<CipherId> {
protected:
    void SetUp() override { cipher_ = GetParam(); }

    void begin() {
        fs::remove(database_);
        fs::remove(plain_);
        const Page first = empty_first_page();
        put_contents(plain_, first);
        auto made = open();
        ASSERT_TRUE(made);
        vfs_ = std::move(*made);
        open_both();
    }
    void open_both() {
        sealed_.emplace(vfs_->name(), database_);
        control_.emplace("unix-excl", plain_);
    }
    void end() {
        sealed_.reset();
        control_.reset();
        vfs_.reset();
    }
    void step(const RandomStep& step) {
        using Kind = RandomStep::Kind;
        switch (step.kind) {
        case Kind::run: EXPECT_TRUE(outcome(sealed_->writer, step.sql) == outcome(control_->writer, step.sql)); break;
        case Kind::read: EXPECT_TRUE(outcome(sealed_->reader, step.sql) == outcome(control_->reader, step.sql)); break;
        case Kind::crash: crash(); break;
        case Kind::reopen:
            sealed_.reset();
            control_.reset();
            EXPECT_EQ(fs::file_size(database_), fs::file_size(plain_) + main_head_bytes);
            open_both();
            compare(*sealed_, *control_);
        }
    }
    void compare(Pair& sealed, Pair& control) {
        const Bytes one = image(sealed.writer);
        const Bytes other = image(control.writer);
        EXPECT_FALSE(one.empty());
        EXPECT_EQ(one.size(), other.size());
        EXPECT_TRUE(std::ranges::equal(one, other)) << "pages differ";
    }
    // The files as they are, recovered elsewhere.
    void crash() {
        const auto folder = folder_ / "crashed";
        fs::remove_all(folder);
        copy_folder(folder_.path(), folder);
        auto vfs = SealedVfs::open(folder / "records.db", key_slot(), IfAbsent::fail);
        ASSERT_TRUE(vfs);
        {
            Pair sealed{(*vfs)->name(), folder / "records.db"};
            Pair control{"unix-excl", folder / "plain.db"};
            compare(sealed, control);
            EXPECT_EQ(sealed.writer.text("PRAGMA integrity_check"), "ok");
        }
        // What a transaction had written when the crash came is a torn tail; nothing else fails to open.
        EXPECT_EQ((*vfs)->authentication_failures(), (*vfs)->recovery_failures());
    }

    const fs::path plain_ = folder_ / "plain.db";
    std::unique_ptr<SealedVfs> vfs_;
    std::optional<Pair> sealed_, control_;
};
INSTANTIATE_TEST_SUITE_P(Each, Differential, every_cipher, cipher_name);

TEST_P(Differential, SealedAndPlainStoresAreTheSameAfterEachStep) {
    constexpr int steps = 150;
    support::Campaign campaign{
        {.name = std::string{"sealed_differential_"} + (GetParam() == CipherId::aes256_gcm ? "b" : "a"),
         .what = "steps",
         .plain = 24,
         .most = 20'000,
         .weight = steps}};
    while (const auto seed = campaign.next()) {
        RandomSql work{*seed};
        begin();
        for (int i = 0; i < steps && !HasFailure(); ++i) {
            const RandomStep next = work.next();
            step(next);
            EXPECT_FALSE(HasFailure()) << "step " << i << ": " << next.sql;
        }
        if (!HasFailure()) {
            sealed_->writer.run("ROLLBACK");
            control_->writer.run("ROLLBACK");
            compare(*sealed_, *control_);
            EXPECT_EQ(sealed_->writer.text("PRAGMA integrity_check"), "ok");
            EXPECT_EQ(vfs_->authentication_failures(), 0U);
        }
        end();
    }
}

} // namespace
} // namespace clinic::crypto::tests
