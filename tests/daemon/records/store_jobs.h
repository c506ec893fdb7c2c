// Numbered jobs for a whole store: people come, change and are erased. The state after n jobs is one, whoever does
// them, so that a store that was found can be compared with it: record by record, and key by key.
//   Threads: one, besides the store's own.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/records/store.h"
#include "tests/crypto/power_cut.h"
#include "tests/fakes/manual_clock.h"

namespace clinic::records {

class StoreJobs {
public:
    // `cipher`: of a store that is made; else the fastest.
    explicit StoreJobs(std::filesystem::path folder, std::optional<crypto::CipherId> cipher = std::nullopt)
        : options_{options_for(std::move(folder), cipher)} {}

    // The store keeps the time by a clock of ours: close it first.
    Result<std::unique_ptr<Store>> open() const&;
    Result<std::unique_ptr<Store>> open() const&& = delete;
    static Result<void> write(Store& store, int job) { return store.write(does(job)); }
    static Result<int> done(Store& store); // so many jobs
    // Posts `first` to `last` so that those after the first are one group; waits for all of them.
    static void write_group(Store& store, int first, int last, const std::function<void(int)>& acknowledged);

    // Jobs so many that the keystore must grow within the next few.
    static constexpr int nearly_dry = 285;

private:
    static StoreOptions options_for(std::filesystem::path folder, std::optional<crypto::CipherId> cipher);
    static Store::Job does(int job);
    const StoreOptions options_;
    const fakes::ManualClock clock_;
};

// By turns, so that a campaign has stores of each.
inline crypto::CipherId cipher_of(std::uint64_t round) {
    return round % 2 == 1 ? crypto::CipherId::aes256_gcm : crypto::CipherId::xchacha20_poly1305;
}

// Opens the store in `folder`, compares all of it with what so many jobs make, checks every page, and does one job
// more.
crypto::tests::Found judge_store(const std::filesystem::path& folder, crypto::tests::Bounds bounds);

// An erased person's key that `jobs` acknowledged jobs have left in the keystore; empty: none. Before the store opens,
// since opening finishes an erasure.
std::string erased_key_left(const std::filesystem::path& folder, int jobs);

} // namespace clinic::records
