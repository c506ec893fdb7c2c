// Power cuts: a workload runs on a FaultDisk, and from the log the files are made that the disk may hold when the power
// goes at some moment. All that was synced is there; of the rest any part is, in any order, and torn. A name that was
// made, changed or taken away is certain when its folder was synced.
//   Units:   a moment is the number of events that the disk had seen.
//   Threads: one.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "tests/crypto/fault_disk.h"

namespace clinic::crypto::tests {

// True: the disk said that this sync was done, and it was not.
using Pretended = std::function<bool(const DiskEvent& sync)>;

// Writes to `folder`, anew, what a cut after the first `events` of the log may leave.
void power_cut(const FaultDisk& disk, std::size_t events, std::mt19937& random, const std::filesystem::path& folder,
               const Pretended& pretended = {});

// What may be found after a cut: so many commits at least, and so many at most (they had begun). What happens behind a
// commit before it returns (a key that is erased) is asked of those that had returned.
struct Bounds {
    int at_least = 0;
    int at_most = 0;
    int returned = at_least;
    bool again = false; // cut a second time: while it was judged, and so perhaps closed
};

struct Found {
    std::string wrong = {}; // empty: nothing
    int commits = 0;
};

// One thing that is done to the files of a folder, and what is asked of the folder after a cut. Whatever else writes
// a store's files (a salvage, a rotation of keys) is proven by one more of these and a line in a list of them.
class CutWorkload {
public:
    virtual ~CutWorkload() = default;
    virtual void prepare(const std::filesystem::path& folder) = 0; // all of it is durable
    virtual void run(const std::filesystem::path& folder, const FaultDisk& disk) = 0;
    virtual Bounds bounds(std::size_t events) const = 0;
    // What it was at after so many events, where the files do not show it; empty: nothing of its own.
    virtual std::string amid(std::size_t /*events*/) const { return {}; }
    // Opens what was left, looks at everything, and goes on for one commit. It writes to the folder.
    virtual Found judge(const std::filesystem::path& folder, Bounds bounds) = 0;
};

// Cuts by what was written and not synced yet at that moment: "superblock", "checkpoint", "wal", "new key slots", "key
// slot" (one that is erased), and what the workload calls its own. One cut may be amid several, or none.
using CutsAmid = std::map<std::string, int>;

struct CutVerdict {
    int cuts = 0;
    int wrong = 0;
    std::string first_wrong = {}; // and where to find it again
    CutsAmid amid = {};
};

// Runs the workload once and cuts it at `cuts` moments, each fourth a second time while it recovers. Every second
// moment is one amid something: of what the life brought (CutsAmid) one thing by chance, and of its moments one.
CutVerdict cut_power(CutWorkload& workload, std::uint64_t seed, int cuts, const Pretended& pretended = {});

} // namespace clinic::crypto::tests
