// What is told to be stored is on the disk: a kill proves nothing of that, since the kernel keeps what it was given.
#include <dlfcn.h>

#include <atomic>
#include <future>

#include "tests/daemon/records/records_fixture.h"

namespace {

std::atomic<int> syncs{0};

} // namespace

// Stands before the C library's, for SQLite too.
extern "C" int fdatasync(int fd) {
    static const auto real = reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, "fdatasync"));
    ++syncs;
    return real(fd);
}

namespace clinic::records {
namespace {

class Durable : public Records {};

TEST_F(Durable, NoPromiseIsMadeBeforeItsSync) {
    for (int i = 0; i < 20; ++i) {
        const int before = syncs;
        int at_promise = 0;
        std::promise<void> told;
        ASSERT_TRUE(store_->post([&](Transaction& txn) { return set_setting(txn, "policy", std::to_string(i)); },
                                 [&](const Result<void>& done) {
                                     EXPECT_TRUE(done);
                                     at_promise = syncs;
                                     told.set_value();
                                 }));
        told.get_future().wait();
        EXPECT_GT(at_promise, before) << "commit " << i;
    }
}

} // namespace
} // namespace clinic::records
