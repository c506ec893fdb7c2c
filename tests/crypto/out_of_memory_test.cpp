// C++'s own memory ends within a call of SQLite's: SQLite is told so, and the connection goes on afterwards.
#include <cstdio>

#include "tests/crypto/failing_new.h"
#include "tests/crypto/store_fixture.h"

namespace clinic::crypto::tests {
namespace {

struct Trouble {
    const char* name;
    CipherId cipher;
    bool once; // else from there on

    friend void PrintTo(const Trouble& trouble, std::ostream* out) { *out << trouble.name; }
};

class OutOfMemory : public StoreTest, public testing::WithParamInterface<Trouble> {
    void SetUp() override { cipher_ = GetParam().cipher; }
};
INSTANTIATE_TEST_SUITE_P(Each, OutOfMemory,
                         testing::Values(Trouble{"once_xchacha", CipherId::xchacha20_poly1305, true},
                                         Trouble{"once_aes", CipherId::aes256_gcm, true},
                                         Trouble{"for_good_xchacha", CipherId::xchacha20_poly1305, false},
                                         Trouble{"for_good_aes", CipherId::aes256_gcm, false}),
                         [](const auto& one) { return std::string{one.param.name}; });

// Each opening has its own session and contexts, and room for the frames of a transaction: its first reads and writes
// need memory.
TEST_P(OutOfMemory, IsSaidToSqliteAndHarmsNothing) {
    make_store(400);
    for (int session = 0; session < 5; ++session) {
        auto vfs = open();
        ASSERT_TRUE(vfs);
        Connection db{**vfs, database_};
        ASSERT_EQ(db.run(insert(40)), SQLITE_OK);
    }
    const auto whole = contents(database_); // of six sessions; each opening would add one more
    int failed = 0, nth = 1;
    bool met = true;
    for (; met && !HasFailure(); ++nth) { // until one more than there are
        put_contents(database_, whole);
        auto vfs = open();
        ASSERT_TRUE(vfs);
        Connection db{**vfs, database_};
        ASSERT_EQ(db.run("PRAGMA cache_size=10"), SQLITE_OK);
        const int before = std::stoi(db.text("SELECT count(*) FROM t"));
        const std::string work = insert(40) + "; SELECT sum(length(body)) FROM t";
        fail_allocation(nth, GetParam().once);
        const int rc = db.run(work);
        met = !fail_allocation(0);
        if (rc != SQLITE_OK) {
            ++failed;
            EXPECT_TRUE(met);
            EXPECT_TRUE(rc == SQLITE_NOMEM || rc == SQLITE_IOERR_NOMEM) << rc;
        }
        EXPECT_EQ(db.text("PRAGMA integrity_check"), "ok") << nth;
        const int after = std::stoi(db.text("SELECT count(*) FROM t"));
        EXPECT_TRUE(after == before || after == before + 40) << nth;
        EXPECT_EQ(db.run(insert(1)), SQLITE_OK) << nth;
        EXPECT_EQ((*vfs)->authentication_failures(), 0U);
    }
    std::printf("%d allocations, %d of which SQLite was told\n", nth - 2, failed);
    EXPECT_GT(failed, 0);
}

} // namespace
} // namespace clinic::crypto::tests
