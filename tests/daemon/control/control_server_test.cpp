#include "daemon/control/control_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "daemon/control/wire/wire.h"
#include "tests/fakes/temp_folder.h"

namespace clinic::control {
namespace {

using nlohmann::json;

class ControlServerTest : public testing::Test {
protected:
    sockaddr_un address() const {
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        std::strcpy(at.sun_path, (folder / "control.sock").c_str());
        return at;
    }
    void make(std::vector<uid_t> operators, Commands more = {}) {
        base::UniqueFd listener{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        const auto at = address();
        ASSERT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
        ASSERT_EQ(listen(listener.get(), 8), 0);
        Commands commands;
        commands["size"] = {
            .takes_body = true, .run = [](const Question& question) -> Result<Answer> {
                return Answer{.exit = 1,
                              .data = std::make_shared<json>(
                                  json{{"bytes", question.body.size()}, {"word", question.args.value("word", "")}})};
            }};
        commands["fail"] = {.run = [](const Question&) -> Result<Answer> {
            return Error{Errc::refused, "not today", "come tomorrow", {.line = 7}};
        }};
        commands.merge(more);
        server = std::make_unique<ControlServer>(std::move(listener), std::move(operators), std::move(commands));
        ASSERT_TRUE(server->start());
    }
    json ask(const std::string& question, const std::optional<std::string>& body = std::nullopt) const {
        const base::UniqueFd fd{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        const auto at = address();
        EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
        set_patience(fd.get());
        static_cast<void>(send_part(fd.get(), question));
        if (body) static_cast<void>(send_body(fd.get(), *body));
        const auto answer = receive_part(fd.get(), answer_bytes_max);
        EXPECT_TRUE(answer);
        return answer ? json::parse(*answer) : json{};
    }

    fakes::TempFolder folder;
    std::unique_ptr<ControlServer> server;
};

TEST_F(ControlServerTest, AnswersWithDataAndExit) {
    make({geteuid()});
    const std::string body(200'000, 'x');
    const auto answer = ask(R"({"v":1,"command":"size","args":{"word":"hello"}})", body);
    EXPECT_EQ(answer, (json{{"v", 1}, {"ok", true}, {"exit", 1}, {"data", {{"bytes", 200'000}, {"word", "hello"}}}}));
}

TEST_F(ControlServerTest, ASecretGoesBothWaysBesideTheJson) {
    make({geteuid()}, {{"turn",
                        {.run = [](const Question& question) -> Result<Answer> {
                             Answer answer{.data = std::make_shared<json>(json{{"bytes", question.secret.size()}})};
                             answer.secret = crypto::SecureBytes::zeroed(question.secret.size());
                             std::ranges::reverse_copy(question.secret.bytes(), answer.secret.bytes().begin());
                             return answer;
                         },
                         .takes_secret = true}}});
    const auto question = R"({"v":1,"command":"turn","args":{}})";
    const auto word = crypto::SecureBytes::copy_of(std::as_bytes(std::span{"abc", 3}));
    const auto told = ask_secretly(folder / "control.sock", question, word);
    ASSERT_TRUE(told);
    EXPECT_EQ(json::parse(told->text).at("data").at("bytes"), 3);
    EXPECT_TRUE(told->secret.same_as(std::as_bytes(std::span{"cba", 3})));
    const auto none = ask_secretly(folder / "control.sock", question, {});
    ASSERT_TRUE(none);
    EXPECT_EQ(none->secret.size(), 0U);
    const auto long_one = ask_secretly(folder / "control.sock", question, crypto::SecureBytes::zeroed(4'097));
    ASSERT_TRUE(long_one);
    EXPECT_FALSE(json::parse(long_one->text).at("ok").get<bool>());
    const auto other = ask_secretly(folder / "control.sock", R"({"v":1,"command":"fail","args":{}})", word);
    ASSERT_TRUE(other);
    EXPECT_EQ(json::parse(other->text).at("error").at("what"), "not today");
    EXPECT_EQ(other->secret.size(), 0U);
}

TEST_F(ControlServerTest, SaysWhatWhereAndWhatToDo) {
    make({geteuid()});
    const auto answer = ask(R"({"v":1,"command":"fail","args":{}})");
    EXPECT_EQ(answer["ok"], false);
    EXPECT_EQ(answer["exit"], 2);
    EXPECT_EQ(answer["error"],
              (json{{"code", "refused"}, {"what", "not today"}, {"remedy", "come tomorrow"}, {"line", 7}}));
}

TEST_F(ControlServerTest, RefusesWhatItDoesNotUnderstand) {
    make({geteuid()});
    EXPECT_EQ(ask("rubbish")["error"]["code"], "malformed");
    EXPECT_EQ(ask(R"({"v":2,"command":"size","args":{}})")["error"]["code"], "malformed");
    EXPECT_EQ(ask(R"({"v":1,"command":"erase-all","args":{}})")["error"]["code"], "unsupported");
    EXPECT_EQ(ask(std::string(question_bytes_max + 1, 'x'))["error"]["code"], "full");
}

TEST_F(ControlServerTest, OneCommandMayAnswerForAllThatAreNotThere) {
    make({geteuid()}, {{any_other, {.run = [](const Question&) -> Result<Answer> {
                            return Error{Errc::locked, "closed", "come back"};
                        }}}});
    EXPECT_EQ(ask(R"({"v":1,"command":"feed-list","args":{}})")["error"]["code"], "locked");
    EXPECT_EQ(ask(R"({"v":1,"command":"fail","args":{}})")["error"]["code"], "refused");
}

TEST_F(ControlServerTest, AnswersOnlyItsOperators) {
    make({geteuid() + 1});
    EXPECT_EQ(ask(R"({"v":1,"command":"fail","args":{}})")["error"]["code"], "unauthorized");
}

} // namespace
} // namespace clinic::control
