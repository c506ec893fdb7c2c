#include "tests/e2e/conditions/room.h"

#include <sys/mount.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <sstream>

namespace clinic::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

fs::path key(const Box& box) {
    return box.folder() / "keys" / "store.key";
}

} // namespace

void Conditions::SetUpTestSuite() {
    if (box_) return;
    box_ = std::make_unique<Box>();
    std::atexit([] { box_.reset(); });
    ASSERT_EQ(send(), "AA");
}

void Conditions::TearDown() {
    EXPECT_TRUE(eventually([] { return is("running"); }, 90)) << box().status().dump();
    EXPECT_EQ(send(), "AA");
    EXPECT_TRUE(eventually(stored_is_acknowledged)) << box().status()["intake"].dump() << acknowledged_;
    EXPECT_EQ(box().ctl("audit verify").exit, 0);
}

json Conditions::need(const std::string& code) {
    for (const auto& one : box().status().value("needs", json::array()))
        if (one.value("code", std::string{}) == code) return one;
    return nullptr;
}

std::string Conditions::log(const std::string& program) {
    std::ifstream in{box().folder() / "logs" / (program + ".log")};
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
}

bool Conditions::delivers() {
    const auto status = box().status();
    if (!status.contains("lanes")) return false;
    const auto& lanes = status["lanes"];
    return lanes["program"]["state"] == "up" && lanes["crm"]["state"] == "up" && lanes["mqtt"]["state"] == "up";
}

std::string Conditions::send() {
    const std::string number = "N" + std::to_string(getpid()) + "x" + std::to_string(++counter_);
    const auto code = acknowledgement(box().send(adt("A28", "C" + number, number, "Quillfeather", "Ottoline")));
    if (code == "AA") ++acknowledged_;
    return code;
}

bool Conditions::nothing_is_in_the_wal() {
    // Emptied when nothing was written for two seconds: what is still to be delivered comes first. What is written
    // after it was emptied are few pages, which stay: then again.
    for (int tries = 0; tries < 5; ++tries) {
        for (int i = 0; i < 30; ++i) // more pages than may stay, also where no basis lets anything leave
            if (send() != "AA") return false;
        if (eventually([] { return box().status()["store"]["wal_bytes"] == 0; }, 40)) return true;
    }
    return false;
}

bool Conditions::stored_is_acknowledged() {
    const auto feed = box().status()["intake"]["mllp"];
    return feed.value("stored", std::int64_t{-1}) == acknowledged_ &&
           feed["received"] == feed["stored"].get<std::int64_t>() + feed["quarantined"].get<std::int64_t>() +
                                   feed["refused"].get<std::int64_t>() + feed["duplicate"].get<std::int64_t>();
}

// The supervisor starts `bin/NAME`: a script there that ends in the program itself, which lies one folder deeper.
void Conditions::wrap(const std::string& program, const std::string& words) {
    const auto bin = box().folder() / "bin", real = bin / "real" / "bin";
    fs::create_directories(real);
    if (!fs::exists(real / program)) fs::rename(bin / program, real / program);
    const auto script = bin / (program + ".new");
    std::ofstream{script} << "#!/bin/sh\n" << words << "\nexec " << (real / program).string() << " \"$@\"\n";
    fs::permissions(script, fs::perms{0755});
    fs::rename(script, bin / program);
    fs::permissions(bin / "real", fs::perms{0755});
    fs::permissions(real, fs::perms{0755});
}

void Conditions::restart(const std::string& program) {
    const int before = process_of(box(), program);
    if (before != 0) kill(before, SIGKILL);
    EXPECT_TRUE(eventually([&] {
        const int now = process_of(box(), program);
        return now != 0 && now != before;
    })) << program;
}

void Conditions::while_closed(const std::function<void()>& change) {
    const auto away = key(box()).string() + ".away";
    fs::rename(key(box()), away);
    restart("clinicd");
    EXPECT_TRUE(eventually([] { return is("locked"); }));
    change();
    fs::rename(away, key(box()));
}

void Conditions::set_clock(const std::string& fake) {
    std::string words;
    if (!fake.empty()) {
        auto library = run("find /usr/lib -name libfaketimeMT.so.1 | head -n 1").out;
        while (!library.empty() && library.back() == '\n') library.pop_back();
        EXPECT_NE(library, "") << "the package faketime is not installed";
        words = "export LD_PRELOAD=" + library + " DONT_FAKE_MONOTONIC=1 FAKETIME='" + fake + "'";
    }
    for (const char* program : {"clinicd", "clinic-syncd"}) {
        wrap(program, words);
        restart(program);
    }
    EXPECT_TRUE(eventually([] { return box().status().contains("clock"); }));
}

void Conditions::to_a_small_disk() {
    const auto home = box().folder() / "records-home";
    while_closed([&] {
        run("cp -a '" + records().string() + "' '" + home.string() + "'");
        ASSERT_EQ(mount("tmpfs", records().c_str(), "tmpfs", 0, "size=12m,mode=0700,uid=61701,gid=61701"), 0);
        run("cp -a '" + home.string() + "/.' '" + records().string() + "/'");
    });
    restart("clinicd"); // it may write in the folder that it started with, and nowhere else
    ASSERT_TRUE(eventually([] { return is("running"); }));
}

void Conditions::home_from_it() {
    const auto home = box().folder() / "records-home";
    while_closed([&] {
        run("cp -a '" + records().string() + "/.' '" + home.string() + "/'");
        ASSERT_EQ(umount2(records().c_str(), MNT_DETACH), 0);
        run("cp -a '" + home.string() + "/.' '" + records().string() + "/'");
    });
    restart("clinicd");
    fs::remove_all(home);
    EXPECT_TRUE(eventually([] { return is("running") && stored_is_acknowledged(); }, 60));
}

void Conditions::fill() {
    std::ofstream out{records() / "filler", std::ios::binary};
    const std::string block(65'536, 'x');
    while (out.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
}

} // namespace clinic::e2e
