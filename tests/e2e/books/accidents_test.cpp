// Three accidents that kill nothing: a disk that fills up, a network that is cut without a word, a clock that jumps.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/e2e/books/cable.h"
#include "tests/e2e/books/proof.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

// A file system of the test's own over the records, small enough to fill.
class SmallDisk {
public:
    explicit SmallDisk(std::filesystem::path folder) : folder_{std::move(folder)} {
        mounted_ = mount("books", folder_.c_str(), "tmpfs", 0, "size=24m,mode=0700,uid=61701,gid=61701") == 0;
    }
    ~SmallDisk() {
        if (mounted_) umount2(folder_.c_str(), MNT_DETACH);
    }
    bool mounted() const { return mounted_; }
    void fill() const {
        run("dd if=/dev/zero of='" + (folder_ / "ballast").string() + "' bs=64k; dd if=/dev/zero of='" +
            (folder_ / "ballast2").string() + "' bs=1");
    }
    void empty() const {
        std::filesystem::remove(folder_ / "ballast");
        std::filesystem::remove(folder_ / "ballast2");
    }

private:
    std::filesystem::path folder_;
    bool mounted_ = false;
};

TEST(TheBooks, AFullDiskAcknowledgesNothingThatItDidNotKeep) {
    if (geteuid() != 0) GTEST_SKIP() << "a file system of its own needs root";
    Box box;
    box.stop();
    // The same records, on a small disk.
    const auto records = box.folder() / "records", kept = box.folder() / "kept";
    std::filesystem::copy(records, kept, std::filesystem::copy_options::recursive);
    const SmallDisk disk{records};
    ASSERT_TRUE(disk.mounted()) << "root, and this machine mounts nothing for us";
    run("cp -a '" + kept.string() + "/.' '" + records.string() + "/' && chown -R 61701:61701 '" + records.string() +
        "'");
    box.start();

    Senders practice;
    practice.push_back(std::make_unique<Sender>(box.mllp_port(), "FULL", 7, 8));
    Sender& sender = *practice.front();
    sender.start();
    const auto stored = [&] { return box.status().at("intake").at("mllp").at("stored").get<int>(); };
    EXPECT_TRUE(eventually([&] { return stored() >= 10; }));
    disk.fill();
    EXPECT_TRUE(eventually([&] { return sender.refused() > 0; }, 60)) << "a full disk is said to the sender";
    EXPECT_TRUE(box.kill_program("clinicd")) << "and a kill in the middle of it";
    EXPECT_TRUE(eventually([&] { return box.status().value("mode", "") == "full"; }, 60));
    const int refused = sender.refused();
    EXPECT_TRUE(eventually([&] { return sender.refused() > refused; }, 60));
    const auto process = box.pids("clinicd");
    disk.empty();
    ASSERT_TRUE(eventually([&] { return is_up(box); }, 60)) << "it goes on when there is room";
    EXPECT_EQ(box.pids("clinicd"), process) << "and a restart is not needed for it";
    const auto before = stored();
    EXPECT_TRUE(eventually([&] { return stored() >= before + 5; }, 60)) << "it goes on by itself";
    sender.stop();
    EXPECT_TRUE(eventually([&] { return is_quiet(box); }, 120));
    expect_all_kept(box, practice);
    EXPECT_EQ(box.ctl("audit verify").exit, 0);
    const auto contacts = box.contacts();
    expect_ledger_matches(box, box.requests());
    box.stop();
    expect_effects(records, box.folder() / "keys" / "store.key", contacts, practice);
}

// GHL behind a cable of our own.
class FarGhl {
public:
    explicit FarGhl(const Box& box) : box_{box}, cable_{box} {
        if (!cable_.made()) return;
        cable_.run_there("bin/ghl-emulator --bind " + std::string{Cable::far} +
                             " --port 4443 --cert keys/far.pem --key keys/far.key --location DemoLocation00000001 "
                             "--token keys/ghl-emulator.token --requests far.jsonl --state far.state",
                         "far.log");
        change_sync_settings(box, ".ghl.base = \"" + base() + "\"");
    }
    const Cable& cable() const { return cable_; }
    std::vector<json> requests() const {
        std::ifstream in{box_.folder() / "far.jsonl"};
        std::vector<json> lines;
        for (std::string line; std::getline(in, line);) lines.push_back(json::parse(line));
        return lines;
    }
    // What it holds of ours.
    std::vector<json> contacts() const {
        const auto state = json::parse(run(curl() + " " + base() + "/_state").out, nullptr, false);
        std::vector<json> ours;
        for (const auto& contact : state.value("contacts", json::array()))
            if (contact.value("firstName", std::string{}).rfind("p_", 0) == 0) ours.push_back(contact);
        return ours;
    }
    void hurry() const {
        run(curl() + " -X POST -d '{\"knob\":\"rate_per_10s\",\"value\":100000}' " + base() + "/_faults");
    }
    int creates() const {
        const auto all = requests();
        return static_cast<int>(std::count_if(all.begin(), all.end(), [](const json& one) {
            return one.at("method") == "POST" && one.at("path") == "/contacts/";
        }));
    }

private:
    std::string curl() const {
        return "curl --silent --max-time 10 --retry 5 --retry-connrefused --retry-delay 1 --cacert '" +
               box_.endpoints().at("console_ca").get<std::string>() + "'";
    }
    static std::string base() { return std::string{"https://"} + Cable::far + ":4443"; }

    const Box& box_;
    const Cable cable_;
};

int lines_of(const Box& box, const std::string& result, const std::string& route = "") {
    const auto all = ledger(box);
    return static_cast<int>(std::count_if(all.begin(), all.end(), [&](const json& one) {
        return (route.empty() || one.at("route") == route) && one.at("result") == result;
    }));
}

TEST(TheBooks, ARequestIntoACutNetworkNeverArrivesLate) {
    if (geteuid() != 0) GTEST_SKIP() << "a network of its own needs root";
    Box box;
    const FarGhl ghl{box};
    ASSERT_TRUE(ghl.cable().made()) << "root, and this machine makes no network for us";
    EXPECT_TRUE(box.kill_program("clinic-syncd"));
    // A first patient, so that a connection stands and the next request is written without connecting.
    EXPECT_NE(box.send(adt("A28", "CUT1", "CUTN1", "Cutmore", "Ida")).find("MSA|AA|"), std::string::npos);
    ASSERT_TRUE(eventually([&] { return ghl.creates() == 1 && is_quiet(box); }, 60));
    ghl.cable().cut();
    EXPECT_NE(box.send(adt("A28", "CUT2", "CUTN2", "Cutmore", "Ada")).find("MSA|AA|"), std::string::npos);
    ASSERT_TRUE(eventually([&] { return lines_of(box, "unknown", "contact_create") == 1; }, 60));
    EXPECT_EQ(ghl.creates(), 1);
    ghl.cable().mend();
    ASSERT_TRUE(eventually([&] { return is_quiet(box); }, 120));
    EXPECT_EQ(ghl.creates(), 2) << "the second try alone: what the cable swallowed stays swallowed";
    EXPECT_EQ(lines_of(box, "answered", "contact_create"), 2);
    EXPECT_TRUE(books_balance(box.status()));
}

// The same in the middle of a busy day, again and again: requests of several workers are in the cable when it is cut.
TEST(TheBooks, ANetworkThatIsCutUnderLoadLosesNothingAndDoesNothingTwice) {
    if (geteuid() != 0) GTEST_SKIP() << "a network of its own needs root";
    constexpr int cuts = 3, busy_senders = 3;
    Box box;
    const FarGhl ghl{box};
    ASSERT_TRUE(ghl.cable().made()) << "root, and this machine makes no network for us";
    EXPECT_TRUE(box.kill_program("clinic-syncd"));
    ghl.hurry();
    Senders practice;
    for (int i = 0; i < busy_senders; ++i)
        practice.push_back(std::make_unique<Sender>(box.mllp_port(), "CUT" + std::to_string(i),
                                                    static_cast<std::uint64_t>(31 + i), 8));
    for (const auto& one : practice) one->start();
    for (int cut = 0; cut < cuts; ++cut) {
        const auto heard = ghl.requests().size();
        ASSERT_TRUE(eventually([&] { return ghl.requests().size() >= heard + 10; }, 90)) << "requests are under way";
        const auto unsure = lines_of(box, "unknown");
        ghl.cable().cut();
        ASSERT_TRUE(eventually([&] { return lines_of(box, "unknown") > unsure; }, 60)) << "one was cut off";
        expect_rows(box, practice);
        ghl.cable().mend();
    }
    for (const auto& one : practice) one->stop();
    ASSERT_TRUE(eventually([&] { return is_quiet(box); }, 180)) << box.status().dump();
    expect_all_kept(box, practice);
    EXPECT_EQ(box.status().at("egress").at("crm").at("dead"), 0);
    EXPECT_EQ(box.ctl("audit verify").exit, 0);
    const auto contacts = ghl.contacts();
    auto received = ghl.requests();
    for (auto& before : box.requests()) received.push_back(std::move(before)); // by the near one, before it moved away
    expect_ledger_matches(box, received);
    box.stop();
    expect_effects(box.folder() / "records", box.folder() / "keys" / "store.key", contacts, practice);
}

// The calendar of both programs by libfaketime; their boot clock stays the machine's. Two hours back it is before what
// was seen, three hours ahead it is not GHL's: what is said waits until it is right again. 40 seconds are nothing.
class Calendar {
public:
    explicit Calendar(const Box& box) : file_{box.folder() / "etc" / "calendar"} {
        set("+0");
        const auto plan = (box.folder() / "etc" / "plan.json").string();
        const std::string library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
        usable_ = std::filesystem::exists(library);
        run("jq '(.programs[] | select(.name == \"clinicd\" or .name == \"clinic-syncd\") | .command) |= "
            "[\"/usr/bin/env\", \"LD_PRELOAD=" +
            library + "\", \"FAKETIME_TIMESTAMP_FILE=" + file_.string() +
            "\", \"FAKETIME_NO_CACHE=1\", \"DONT_FAKE_MONOTONIC=1\"] + .' '" + plan + "' > '" + plan +
            ".new' && cat '" + plan + ".new' > '" + plan + "'");
    }
    bool usable() const { return usable_; }
    void set(const std::string& offset) const {
        std::ofstream{file_.string() + ".new"} << offset << "\n";
        std::filesystem::permissions(file_.string() + ".new", std::filesystem::perms{0644});
        std::filesystem::rename(file_.string() + ".new", file_);
    }

private:
    std::filesystem::path file_;
    bool usable_ = false;
};

TEST(TheBooks, AJumpingClockLosesNothingAndDoesNothingTwice) {
    Box box;
    box.stop();
    const Calendar calendar{box};
    ASSERT_TRUE(calendar.usable()) << "packaging/dependencies installs faketime";
    ASSERT_TRUE(box.start_again());
    Senders practice;
    practice.push_back(std::make_unique<Sender>(box.mllp_port(), "CLK", 11, 8));
    practice.front()->start();
    const auto released = [&] { return box.status().at("egress").at("crm").at("released").get<int>(); };
    int kills = 0;
    for (const std::string offset : {"-2h", "+0", "-40s", "+0", "+3h", "+0"}) {
        const auto before = released();
        box.fault("timeout-after-effect", 1);
        calendar.set(offset);
        EXPECT_TRUE(eventually([&] { return released() >= before + 5; }, 60)) << offset;
        expect_rows(box, practice);
        // The next start reads this calendar, with whatever was in hand.
        EXPECT_TRUE(box.kill_program(kills % 2 == 0 ? "clinicd" : "clinic-syncd"));
        ++kills;
        ASSERT_TRUE(eventually([&] { return is_up(box); }, 60)) << offset;
        const auto mode = offset.ends_with("h") ? "clock-untrusted" : "running";
        EXPECT_TRUE(eventually([&] { return box.status().value("mode", "") == mode; }, 60)) << offset;
        expect_rows(box, practice);
    }
    practice.front()->stop();
    EXPECT_TRUE(eventually([&] { return is_quiet(box); }, 180)) << box.status().dump();
    expect_all_kept(box, practice);
    EXPECT_EQ(box.ctl("audit verify").exit, 0);
    const auto contacts = box.contacts();
    expect_ledger_matches(box, box.requests());
    box.stop();
    expect_effects(box.folder() / "records", box.folder() / "keys" / "store.key", contacts, practice);
}

} // namespace
} // namespace clinic::e2e
