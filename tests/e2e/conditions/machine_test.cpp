// A machine that gives too little, and settings that are not there: said with what, where and what to do; and back.
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/e2e/conditions/room.h"

namespace clinic::e2e {
namespace {

namespace fs = std::filesystem;

class Machine : public Conditions {
protected:
    void TearDown() override {
        if (!wrapped_) return Conditions::TearDown();
        wrap("clinicd", "");
        restart("clinicd");
        Conditions::TearDown();
    }
    // A limit of the shell's `ulimit`, hard, for clinicd from now on.
    void limit(const std::string& words) {
        wrapped_ = true;
        wrap("clinicd", "ulimit " + words);
        restart("clinicd");
        ASSERT_TRUE(eventually([] { return is("running"); }, 60));
    }
    static base::UniqueFd sender() {
        const auto address = box().endpoints().at("mllp").get<std::string>();
        return tcp(std::stoi(address.substr(address.find(':') + 1)));
    }
    // One new patient over this connection; what was said to it.
    static std::string ask(const base::UniqueFd& connection, const std::string& more = "", int seconds = 30) {
        const std::string number = "M" + std::to_string(++counter_);
        send_all(connection, mllp_frame(adt("A28", "C" + number, number, "Brack", "Tom") + more));
        const auto code = acknowledgement(hear(connection, seconds, "\x1c").bytes);
        if (code == "AA") ++acknowledged_;
        return code;
    }

private:
    bool wrapped_ = false;
};

TEST_F(Machine, WithoutADescriptorLeftWhatIsOpenGoesOnAndTheRestWaits) {
    limit("-n 60");
    const int process = process_of(box(), "clinicd");
    std::vector<base::UniqueFd> open;
    open.push_back(sender());
    ASSERT_EQ(ask(open.front()), "AA");
    while (open.size() < 62) open.push_back(sender()); // more than there are descriptors
    EXPECT_TRUE(
        eventually([] { return log("clinicd").find("a connection could not be accepted") != std::string::npos; }));
    EXPECT_EQ(ask(open.front()), "AA") << "what is open goes on";
    EXPECT_EQ(ask(open.back(), "", 1), "") << "there was a descriptor for it";
    EXPECT_EQ(process_of(box(), "clinicd"), process);
    const auto last = std::move(open.back());
    open.clear();
    EXPECT_EQ(acknowledgement(hear(last, 60, "\x1c").bytes), "AA") << "who waited is served";
    ++acknowledged_;
    EXPECT_TRUE(eventually([] { return box().page("/").find("HTTP/1.1 200") != std::string::npos; }, 60));
    EXPECT_EQ(process_of(box(), "clinicd"), process);
}

TEST_F(Machine, WithoutMemoryLeftNothingAcknowledgedIsLost) {
    restart("clinicd"); // what it has when it begins
    ASSERT_TRUE(eventually([] { return is("running"); }, 60));
    // Memory that can be written to, not addresses: the C library holds 64 MiB of addresses for each of its heaps,
    // and how many heaps there are is chance.
    limit("-d " + std::to_string(footprint(process_of(box(), "clinicd")).writable_kib + 16'384));
    const int process = process_of(box(), "clinicd");
    const auto before = log("clinicd").size();
    const std::string note = "NTE|1||" + std::string(1'000'000, 'x') + "\r";
    std::vector<base::UniqueFd> many;
    for (int i = 0; i < 55; ++i) {
        many.push_back(sender());
        if (!many.back()) continue;
        send_all(many.back(), "\x0b" + adt("A28", "Chalf", "Mhalf", "Brack", "Tom") + note); // held, never ended
    }
    for (int i = 0; i < 5; ++i) {
        const auto one = sender();
        if (one) static_cast<void>(ask(one, note, 20));
        static_cast<void>(box().page("/api/v1/status"));
    }
    // The limit was reached and said. It goes on, or is started anew; TearDown finds it well again, and every
    // acknowledged message in the books.
    EXPECT_TRUE(eventually([&] {
        return log("clinicd").find("no memory is left; give this", before) != std::string::npos;
    })) << log("clinicd").substr(before);
    many.clear();
    EXPECT_TRUE(eventually([] { return is("running"); }, 60));
    std::printf("memory: %s\n", process_of(box(), "clinicd") == process ? "it went on" : "it was started anew");
}

TEST_F(Machine, SettingsThatAreMissingOrBrokenAreNamedAndReadAgain) {
    const auto file = box().folder() / "etc" / "clinicd.json";
    std::ifstream in{file};
    const std::string good{std::istreambuf_iterator<char>{in}, {}};
    struct Row {
        std::string text;
        const char* said;
    };
    std::string misspelt = good;
    misspelt.replace(misspelt.find("\"zone\""), 6, "\"zoen\"");
    for (const Row& row : {Row{"", "clinicd.json"}, Row{"{\"box\": ", "clinicd.json"}, Row{misspelt, "zoen is unknown"},
                           Row{std::string(70'000, ' '), "clinicd.json"}}) {
        const auto before = log("clinicd").size();
        std::ofstream{file} << row.text;
        if (const int process = process_of(box(), "clinicd"); process != 0) kill(process, SIGTERM);
        EXPECT_TRUE(eventually([&] { return log("clinicd").find(row.said, before) != std::string::npos; }))
            << log("clinicd").substr(before);
    }
    const auto before = log("clinicd").size();
    fs::remove(file);
    EXPECT_TRUE(eventually([&] { return log("clinicd").find("clinicd.json", before) != std::string::npos; }))
        << log("clinicd").substr(before);
    std::ofstream{file} << good;
}

TEST_F(Machine, TheLongestMessageIsTheOneThatIsSet) {
    const auto config = box().folder() / "etc" / "clinicd.json";
    const auto before = nlohmann::json::parse(std::ifstream{config});
    for (const std::size_t bound : {65'536U, 10'485'760U}) {
        auto set = before;
        set["mllp"]["message_bytes_max"] = bound;
        std::ofstream{config} << set;
        restart("clinicd");
        EXPECT_TRUE(eventually([] { return is("running"); }));
        for (const std::size_t bytes : {bound, bound + 1}) {
            const auto number = std::to_string(bytes);
            auto message = adt("A28", "LONG" + number, "N" + number, "Quillfeather", "Ottoline") + "NTE|1||";
            message += std::string(bytes - message.size() - 1, 'x') + "\r";
            const auto answer = box().send(message);
            const auto code = acknowledgement(answer);
            EXPECT_EQ(code, bytes == bound ? "AA" : "AR") << answer;
            if (code == "AA") ++acknowledged_;
            EXPECT_EQ(answer.find("mllp.message_bytes_max") != std::string::npos, bytes > bound) << answer;
        }
    }
    std::ofstream{config} << before;
    restart("clinicd");
}

TEST_F(Machine, AConsoleThatCannotBeServedDoesNotKeepMessagesOut) {
    const auto file = box().folder() / "keys" / "console.pem";
    std::ifstream in{file};
    const std::string good{std::istreambuf_iterator<char>{in}, {}};
    std::ofstream{file} << "no certificate";
    restart("clinicd");
    EXPECT_TRUE(eventually([] { return send() == "AA"; }));
    EXPECT_TRUE(eventually([&] { return box().ctl("status").out.find("E2013") != std::string::npos; }))
        << box().ctl("status").out;
    std::ofstream{file} << good;
    restart("clinicd");
}

TEST_F(Machine, APortByTlsThatCannotBeServedIsToldAndTheOtherServes) {
    const auto config = box().folder() / "etc" / "clinicd.json";
    const auto before = nlohmann::json::parse(std::ifstream{config});
    auto broken = before;
    const auto none = box().folder() / "etc" / "no-certificate.pem";
    std::ofstream{none} << "no certificate";
    broken["mllp"]["tls"]["certificate"] = none;
    std::ofstream{config} << broken;
    restart("clinicd");
    EXPECT_TRUE(eventually([] { return send() == "AA"; }));
    EXPECT_NE(box().ctl("status").out.find("E2014"), std::string::npos) << box().ctl("status").out;
    std::ofstream{config} << before;
    restart("clinicd");
}

} // namespace
} // namespace clinic::e2e
