// clinic-bench-sessions --file FILE --sessions N: makes the store of `bulk` with AES-256-GCM and opens it N times in
// all, so that by chance each N-th page of rows is of the same sealing session. See docs/benchmarks.md.
#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>

#include "crypto/sealing_session.h"
#include "crypto/store_layout.h"
#include "tests/bench/arguments.h"
#include "tests/bench/store/workload.h"

namespace clinic::bench::store {
namespace {

constexpr std::size_t session_at = crypto::page_plain_bytes + 4; // behind the key epoch

// As docs/store-format.md says where a page's session stands.
std::size_t sessions_in(const std::string& file) {
    std::set<crypto::SessionId> all;
    std::ifstream in{file, std::ios::binary};
    in.seekg(crypto::main_head_bytes);
    std::array<char, crypto::page_bytes> page{};
    while (in.read(page.data(), page.size())) {
        crypto::SessionId session{};
        std::ranges::copy(std::as_bytes(std::span{page}).subspan(session_at, session.size()), session.begin());
        all.insert(session);
    }
    return all.size();
}

void make(const std::string& file, std::int64_t sessions) {
    const Open open = peers().at("ours_aes");
    for (std::int64_t session = 0; session < sessions; ++session) {
        const Opened opened = open(file);
        set_up(opened.db.get(), "NORMAL");
        if (session == 0)
            bulk(opened.db.get());
        else
            write_again(opened.db.get(), session, sessions);
    }
    if (sessions_in(file) != static_cast<std::size_t>(sessions)) give_up("the pages are not of so many sessions");
}

} // namespace
} // namespace clinic::bench::store

int main(int count, char** values) {
    const clinic::bench::Arguments given{count, values, 1};
    const std::string file = given.text("file");
    if (std::filesystem::exists(file)) clinic::bench::give_up("there is a file " + file);
    clinic::bench::store::make(file, given.number("sessions"));
    return 0;
}
