// A bad machine around clinic-syncd: said in its log with what and what to do, and on the page; clinicd takes messages
// in as before; what waited is delivered when it is mended.
#include <sys/mount.h>

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/e2e/conditions/room.h"

namespace clinic::e2e {
namespace {

namespace fs = std::filesystem;

constexpr const char* program = "clinic-syncd";

class Delivery : public Conditions {
protected:
    void SetUp() override {
        ASSERT_TRUE(eventually(delivers, 120)) << box().status()["lanes"].dump();
        clinicd_ = process_of(box(), "clinicd");
        log_from_ = log(program).size();
    }
    void TearDown() override {
        EXPECT_TRUE(eventually(delivers, 120)) << box().status()["lanes"].dump() << log(program).substr(log_from_);
        EXPECT_TRUE(eventually([] { return box().status()["egress"]["crm"]["pending"] == 0; }, 60));
        EXPECT_EQ(process_of(box(), "clinicd"), clinicd_) << "clinicd was started anew";
        Conditions::TearDown();
    }

    // What is wrong and what to do, in one line of its log.
    void expect_said(const std::string& what, const std::string& remedy) const {
        EXPECT_TRUE(eventually(
            [&] {
                const auto said = log(program).substr(log_from_);
                const auto at = said.find(what + "; ");
                return at != std::string::npos &&
                       said.substr(at, said.find('\n', at) - at).find(remedy) != std::string::npos;
            },
            90))
            << log(program).substr(log_from_);
    }
    static void expect_messages_come_in() {
        EXPECT_EQ(send(), "AA");
        EXPECT_TRUE(is("running"));
    }
    static void expect_on_the_page(const std::string& code) {
        EXPECT_TRUE(eventually([&] { return needs(code); }, 60)) << box().status()["needs"].dump();
        EXPECT_NE(need(code)["action"], "");
    }
    // A connection has a number of its own, which is written before it is used; sequence numbers are set aside long
    // before.
    static void connect_again() {
        const auto broker = box().pids("mosquitto");
        ASSERT_FALSE(broker.empty());
        for (const pid_t one : broker) kill(one, SIGKILL);
    }
    static fs::path state() { return box().folder() / "sync"; }
    static void again() {
        if (const int now = process_of(box(), program); now != 0) kill(now, SIGKILL);
    }

private:
    int clinicd_ = 0;
    std::size_t log_from_ = 0;
};

TEST_F(Delivery, WithTooFewDescriptorsItSaysSoAndDoesNotRun) {
    wrap(program, "ulimit -n 40");
    again();
    expect_said("this program may open too few files", "LimitNOFILE=");
    expect_on_the_page("E2101");
    expect_messages_come_in();
    wrap(program, "");
}

TEST_F(Delivery, WithoutMemoryItSaysSoAndIsTriedAgain) {
    wrap(program, "ulimit -s 2000000; ulimit -v 2000000"); // KiB: enough to begin with, not for a thread's stack
    again();
    expect_said("a thread cannot be started", "more memory");
    expect_on_the_page("E2101");
    expect_messages_come_in();
    wrap(program, "");
}

TEST_F(Delivery, AStateFolderThatIsFullIsNamedAndWrittenAgainWhenThereIsRoom) {
    if (!as_root()) GTEST_SKIP() << "mounting needs root";
    const auto numbers = box().folder() / "state-kept";
    fs::copy_file(state() / "state.sealed", numbers, fs::copy_options::overwrite_existing);
    ASSERT_EQ(mount("tmpfs", state().c_str(), "tmpfs", 0, "size=64k,mode=0700,uid=61702,gid=61702"), 0);
    run("cp '" + numbers.string() + "' '" + (state() / "state.sealed").string() + "' && chown 61702:61702 '" +
        (state() / "state.sealed").string() + "'");
    run("dd if=/dev/zero of='" + (state() / "filler").string() + "' bs=4k");
    connect_again();
    expect_said("the state file cannot be written", "make room in the folder of `state`");
    EXPECT_TRUE(eventually([] { return box().status()["lanes"]["mqtt"]["code"] == "state_file"; }, 60));
    expect_on_the_page("E2106");
    expect_messages_come_in();
    EXPECT_TRUE(eventually([] { return box().status()["egress"]["crm"]["pending"] == 0; }, 60))
        << "GHL hears as before";
    const int process = process_of(box(), program);
    fs::remove(state() / "filler");
    EXPECT_TRUE(eventually(delivers, 120));
    EXPECT_EQ(process_of(box(), program), process) << "a restart is not needed for it";
    // Home again, with the numbers that were counted on this disk.
    run("cp '" + (state() / "state.sealed").string() + "' '" + numbers.string() + "'");
    ASSERT_EQ(umount2(state().c_str(), MNT_DETACH), 0);
    run("cp '" + numbers.string() + "' '" + (state() / "state.sealed").string() + "'");
    again();
}

TEST_F(Delivery, AStateFolderThatCannotBeWrittenIsNamedAndTriedAgain) {
    if (!as_root()) GTEST_SKIP() << "mounting needs root";
    ASSERT_EQ(mount(state().c_str(), state().c_str(), nullptr, MS_BIND, nullptr), 0);
    ASSERT_EQ(mount(nullptr, state().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
    connect_again();
    expect_said("the state file cannot be written", "let this program's user write there");
    EXPECT_TRUE(eventually([] { return box().status()["lanes"]["mqtt"]["code"] == "state_file"; }, 60));
    expect_on_the_page("E2106");
    expect_messages_come_in();
    const int process = process_of(box(), program);
    ASSERT_EQ(umount2(state().c_str(), MNT_DETACH), 0);
    EXPECT_TRUE(eventually(delivers, 120));
    EXPECT_EQ(process_of(box(), program), process) << "a restart is not needed for it";
}

TEST_F(Delivery, ACredentialThatIsNoneOrAnothersIsNamed) {
    const auto file = box().folder() / "keys" / "sync.key";
    std::ifstream in{file};
    const std::string good{std::istreambuf_iterator<char>{in}, {}};
    std::ofstream{file} << "no key\n";
    again();
    expect_said("the key file does not hold a key", "");
    expect_on_the_page("E2101");
    expect_messages_come_in();
    std::ofstream{file} << std::string(64, 'a') << '\n';
    expect_said("the state file does not open and is set aside", "was `credential` changed?");
    EXPECT_TRUE(eventually(delivers, 120)) << "it counts on above the file that it cannot read";
    EXPECT_TRUE(fs::exists(state() / "state.sealed.unreadable"));
    std::ofstream{file} << good;
    again();
}

} // namespace
} // namespace clinic::e2e
