// ghl-emulator as a process: its arguments, its ready line, its end.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <thread>

#include "crypto/base/owned.h"
#include "tests/emulator/certificate.h"
#include "tests/emulator/fields.h"
#include "tests/emulator/https_client.h"
#include "tests/emulator/lines.h"
#include "tests/fakes/eventually.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::emulator {
namespace {

using namespace std::chrono_literals;

using fakes::eventually;

// The program with its standard output in a pipe.
class Program {
public:
    explicit Program(std::vector<std::string> arguments) {
        std::array<int, 2> pipe{};
        EXPECT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
        output_.reset(pipe[0]);
        const base::UniqueFd theirs{pipe[1]};
        arguments.insert(arguments.begin(), GHL_EMULATOR);
        std::vector<char*> values;
        for (std::string& argument : arguments) values.push_back(argument.data());
        values.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDOUT_FILENO);
        EXPECT_EQ(::posix_spawn(&process_, GHL_EMULATOR, &actions, nullptr, values.data(), environ), 0);
        posix_spawn_file_actions_destroy(&actions);
    }
    ~Program() {
        if (process_ > 0) static_cast<void>(end(SIGKILL));
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    std::string line() const {
        std::string text;
        for (char c = 0; ::read(output_.get(), &c, 1) == 1 && c != '\n';) text.push_back(c);
        return text;
    }
    int end(int signal) {
        ::kill(process_, signal);
        return wait();
    }
    int wait() {
        int status = 0;
        ::waitpid(process_, &status, 0);
        process_ = -1;
        return status;
    }

private:
    base::UniqueFd output_;
    pid_t process_ = -1;
};

class GhlEmulatorProgram : public testing::Test {
protected:
    GhlEmulatorProgram() { std::ofstream{folder / "token"} << "pit-test\n"; }

    std::vector<std::string> arguments(const std::string& name, const std::string& value) const {
        return {"--cert",     certificate.certificate,
                "--key",      certificate.key,
                "--token",    folder / "token",
                "--requests", folder / "requests.jsonl",
                name,         value};
    }
    static int port_in(const std::string& ready) { return std::stoi(ready.substr(ready.rfind(':') + 1)); }
    static Headers usual() {
        return {{"Authorization", "Bearer pit-test"}, {"Version", "2021-07-28"}, {"Content-Type", "application/json"}};
    }

    fakes::TempFolder folder;
    Certificate certificate = *make_certificate(folder.path());
};

TEST_F(GhlEmulatorProgram, PrintsItsFields) {
    Program program{{"--print-fields"}};
    const Json fields = Json::parse(program.line());
    EXPECT_EQ(fields["ce_pid"], field_ce_pid);
    EXPECT_EQ(fields.size(), 6U);
    EXPECT_EQ(program.wait(), 0);
}

TEST_F(GhlEmulatorProgram, TakesFieldsFromAFile) {
    std::ofstream{folder / "fields.json"} << R"([{"id":"A","name":"one","dataType":"TEXT"}])";
    Program program{{"--print-fields", "--fields", folder / "fields.json"}};
    EXPECT_EQ(program.line(), R"({"one":"A"})");
}

TEST_F(GhlEmulatorProgram, SaysHowItIsUsed) {
    Program program{{"--port", "0"}};
    EXPECT_EQ(WEXITSTATUS(program.wait()), 2);
}

TEST_F(GhlEmulatorProgram, SaysWhenItIsReadyAndEndsAtOnceOnSigterm) {
    Program program{arguments("--port", "0")};
    const int port = port_in(program.line());
    HttpsClient client{port, certificate.authority};
    EXPECT_EQ(client.send("GET", "/locations/CEdemoLocation000001", usual(), "").status, 200);
    EXPECT_EQ(client.post("/_faults", R"({"fault":"timeout-after-effect"})").status, 200);
    std::jthread held{[&] {
        HttpsClient patient{port, certificate.authority, 60s};
        EXPECT_FALSE(patient.send("POST", "/contacts/", usual(), R"({"locationId":"CEdemoLocation000001"})").answered);
    }};
    const auto withheld = [&] {
        std::ifstream file{folder / "requests.jsonl"};
        const std::string all{std::istreambuf_iterator<char>{file}, {}};
        return all.find("\"status\":0") != std::string::npos;
    };
    ASSERT_TRUE(eventually(withheld));
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(program.end(SIGTERM), 0);
    EXPECT_LT(std::chrono::steady_clock::now() - before, 5s);
}

TEST_F(GhlEmulatorProgram, ServesOnAnInheritedSocket) {
    const base::UniqueFd listening{::socket(AF_INET, SOCK_STREAM, 0)};
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listening.get(), 16), 0);
    for (int turn = 0; turn < 2; ++turn) {
        Program program{arguments("--fd", std::to_string(listening.get()))};
        HttpsClient client{port_in(program.line()), certificate.authority};
        EXPECT_EQ(client.get("/_state").status, 200);
        EXPECT_EQ(program.end(SIGTERM), 0);
    }
}

TEST(Lines, GoOnAfterTheLastWholeOneWhereAKillCutOneShort) {
    const fakes::TempFolder folder;
    const auto file = folder / "lines.jsonl";
    std::ofstream{file} << "{\"n\":1}\n{\"n\":2,\"bo";
    auto lines = Lines::open(file);
    ASSERT_TRUE(lines);
    lines->write({{"n", 3}});
    std::ifstream in{file};
    const std::string text{std::istreambuf_iterator<char>{in}, {}};
    EXPECT_EQ(text, "{\"n\":1}\n{\"n\":3}\n");
    EXPECT_TRUE(Lines::open("/dev/null"));
}

} // namespace
} // namespace clinic::emulator
