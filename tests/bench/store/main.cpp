// clinic-bench-store --peer NAME --workload NAME --sync NORMAL|FULL --file FILE [--patients N]: one workload on one
// peer's store, as one JSON object. `bulk` and `lookup` (which has N) make the store anew; the others work on the one
// that `bulk` left. See docs/benchmarks.md.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <vector>

#include "tests/bench/arguments.h"
#include "tests/bench/store/peer.h"
#include "tests/bench/store/workload.h"

namespace clinic::bench::store {
namespace {

enum class Before { fresh_file, cold, warm };

struct Workload {
    Before before;
    std::function<Figures(sqlite3*)> run;
};

std::map<std::string, Workload> workloads(std::int64_t patients) {
    return {{"bulk", {Before::fresh_file, bulk}},
            {"commit", {Before::warm, commit}},
            {"point", {Before::cold, [](sqlite3* db) { return point(db, 5'000); }}},
            {"point_warm", {Before::warm, [](sqlite3* db) { return point(db, 50'000); }}},
            {"range", {Before::warm, range}},
            {"scan", {Before::warm, scan}},
            {"lookup", {Before::fresh_file, [patients](sqlite3* db) { return lookup(db, patients); }}}};
}

void remove_store(const std::string& file) {
    for (const char* suffix : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(file + suffix);
}

base::UniqueFd opened_file(const std::string& file) {
    base::UniqueFd fd{open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!fd) give_up("there is no store in " + file);
    return fd;
}

std::size_t pages_in_memory(const base::UniqueFd& fd, std::size_t bytes) {
    void* mapped = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (mapped == MAP_FAILED) give_up("the store's file cannot be mapped");
    std::vector<unsigned char> present((bytes + 4'095) / 4'096);
    const int code = mincore(mapped, bytes, present.data());
    munmap(mapped, bytes);
    if (code != 0) give_up("which pages are in memory is not told");
    return static_cast<std::size_t>(std::ranges::count_if(present, [](unsigned char page) { return (page & 1) != 0; }));
}

void forget(const std::string& file) {
    const base::UniqueFd fd = opened_file(file);
    const std::size_t bytes = std::filesystem::file_size(file);
    fsync(fd.get()); // a page that is not written yet stays
    posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
    if (pages_in_memory(fd, bytes) * 100 > bytes / 4'096) give_up("the store's file does not leave the memory");
}

void remember(const std::string& file) {
    const base::UniqueFd fd = opened_file(file);
    std::vector<char> part(1 << 20);
    while (read(fd.get(), part.data(), part.size()) > 0) {
    }
}

void prepare(Before before, const std::string& file) {
    switch (before) {
    case Before::fresh_file: return remove_store(file);
    case Before::cold: return forget(file);
    case Before::warm: return remember(file);
    }
}

template <class Map>
const auto& chosen(const Map& map, const std::string& what, const Arguments& given) {
    const auto found = map.find(given.text(what));
    if (found == map.end()) give_up("no such " + what + ": " + given.text(what));
    return found->second;
}

void measure(const Arguments& given) {
    const auto known = peers();
    const Open open = chosen(known, "peer", given);
    const auto all = workloads(given.number("patients", 10'000));
    const Workload& workload = chosen(all, "workload", given);
    const std::string file = given.text("file"), synchronous = given.text("sync");
    prepare(workload.before, file);
    std::string cipher;
    Figures figures;
    {
        const Opened opened = open(file);
        set_up(opened.db.get(), synchronous);
        figures = workload.run(opened.db.get());
        cipher = opened.cipher;
    }
    fsync(opened_file(file).get()); // not written out while the next is measured
    std::printf(R"({"peer":"%s","workload":"%s","sync":"%s","wall_s":%.6f,"cpu_s":%.6f,"steps":%lld,)"
                R"("digest":"%016llx","file_bytes":%llu,"cipher":"%s","sqlite":"%s"})"
                "\n",
                given.text("peer").c_str(), given.text("workload").c_str(), synchronous.c_str(), figures.wall,
                figures.cpu, static_cast<long long>(figures.steps), static_cast<unsigned long long>(figures.digest),
                static_cast<unsigned long long>(std::filesystem::file_size(file)), cipher.c_str(),
                sqlite3_libversion());
}

} // namespace
} // namespace clinic::bench::store

int main(int count, char** values) {
    clinic::bench::store::measure(clinic::bench::Arguments{count, values, 1});
    return 0;
}
