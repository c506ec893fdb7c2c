// Words and passphrases between a terminal, or a pipe, and guarded memory.
#include "provisioning/typed_secret.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "crypto/base/files.h"
#include "crypto/base/owned.h"
#include "crypto/recovery_words.h"
#include "provisioning/keys_commands.h"

namespace clinic::provisioning {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string text_of(const crypto::SecureBytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.bytes().data()), bytes.size()};
}

crypto::SecureBytes some_words() {
    crypto::SecureBytes secret = crypto::SecureBytes::zeroed(crypto::recovery_secret_bytes);
    for (std::size_t i = 0; i < secret.size(); ++i) secret.bytes()[i] = static_cast<std::byte>(7 * i + 3);
    return crypto::words_of(secret);
}

// What `ask` got of a terminal on which somebody types this, and all that the terminal showed.
struct Terminal {
    std::string got, shown;
};
Terminal on_a_terminal(const std::string& typed, const std::function<std::optional<crypto::SecureBytes>()>& ask) {
    int answers[2];
    EXPECT_EQ(pipe(answers), 0);
    int terminal = -1;
    const pid_t child = forkpty(&terminal, nullptr, nullptr, nullptr);
    if (child == 0) {
        const auto got = ask();
        const std::string said = got ? text_of(*got) : "nothing";
        const bool written = write(answers[1], said.data(), said.size()) == static_cast<ssize_t>(said.size());
        _exit(written ? 0 : 1);
    }
    close(answers[1]);
    Terminal seen;
    const auto look = [&](const char* until) {
        char letter = 0;
        while (seen.shown.find(until) == std::string::npos && read(terminal, &letter, 1) == 1) seen.shown += letter;
    };
    for (std::size_t from = 0; from < typed.size();) {
        const auto end = std::min(typed.find('\n', from), typed.size() - 1);
        look("unseen: "); // asked for, and so no longer shown
        const std::string before = std::exchange(seen.shown, {});
        EXPECT_EQ(write(terminal, typed.data() + from, end + 1 - from), static_cast<ssize_t>(end + 1 - from));
        look("\n");
        seen.shown = before + seen.shown;
        const auto asked = seen.shown.rfind("unseen: ");
        if (asked != std::string::npos) seen.shown.replace(asked, 8, "asked.. ");
        from = end + 1;
    }
    char part[4'096];
    for (ssize_t got = 0; (got = read(answers[0], part, sizeof part)) > 0;)
        seen.got.append(part, static_cast<std::size_t>(got));
    for (ssize_t got = 0; (got = read(terminal, part, sizeof part)) > 0;)
        seen.shown.append(part, static_cast<std::size_t>(got));
    close(answers[0]);
    close(terminal);
    int ended = 0;
    waitpid(child, &ended, 0);
    EXPECT_EQ(ended, 0);
    return seen;
}

TEST(TypedSecret, TheGridIsNumberedAndIsTakenBackAsItStands) {
    const auto words = some_words();
    const auto grid = word_grid(words);
    const std::string text = text_of(grid);
    EXPECT_EQ(std::ranges::count(text, '\n'), 6);
    EXPECT_THAT(text, HasSubstr(" 1. " + text_of(words).substr(0, text_of(words).find(' '))));
    EXPECT_THAT(text, HasSubstr("24. "));
    for (std::size_t from = 0; from < text.size(); from = text.find('\n', from) + 1)
        EXPECT_LE(text.find('\n', from) - from, 80U);
    const auto secret = crypto::secret_of(grid);
    ASSERT_TRUE(secret);
    EXPECT_TRUE(crypto::words_of(*secret).same_as(words.bytes()));
}

TEST(TypedSecret, WordsAreTypedOneByOneAndNeverShown) {
    const std::string words = text_of(some_words());
    std::string typed = "qqqq\n"; // is asked for again
    for (const char letter : words) typed += letter == ' ' ? '\n' : letter;
    typed += "\n";
    const auto seen = on_a_terminal(typed, [] { return type_words(); });
    const auto secret = crypto::secret_of(crypto::SecureBytes::copy_of(base::as_bytes(seen.got)));
    ASSERT_TRUE(secret) << seen.shown;
    EXPECT_EQ(text_of(crypto::words_of(*secret)), words);
    EXPECT_THAT(seen.shown, HasSubstr("no word of the list"));
    EXPECT_THAT(seen.shown, HasSubstr("Word 24 of 24"));
    EXPECT_THAT(seen.shown, Not(HasSubstr("qqqq")));
    for (std::size_t from = 0; from < words.size();) {
        const auto end = std::min(words.find(' ', from), words.size());
        EXPECT_THAT(seen.shown, Not(HasSubstr(words.substr(from, end - from) + "\r"))) << "shown";
        from = end + 1;
    }
}

TEST(TypedSecret, ALineCanBeMendedAndGivenUp) {
    const auto passphrase = [] { return type_passphrase(false); };
    EXPECT_EQ(on_a_terminal("correct hoo\x7frse\n", passphrase).got, "correct horse");
    EXPECT_EQ(on_a_terminal("correct\x15horse\n", passphrase).got, "horse");
    EXPECT_EQ(on_a_terminal("correct\x03\n", passphrase).got, "nothing");
}

TEST(TypedSecret, APipeIsReadToItsEndAndNoFurtherThanItsBound) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const base::UniqueFd before{dup(STDIN_FILENO)};
    dup2(ends[0], STDIN_FILENO);
    EXPECT_EQ(write(ends[1], "one two\n", 8), 8);
    close(ends[1]);
    const auto got = read_piped(100);
    ASSERT_TRUE(got);
    EXPECT_EQ(text_of(*got), "one two");
    ASSERT_EQ(pipe(ends), 0);
    dup2(ends[0], STDIN_FILENO);
    EXPECT_EQ(write(ends[1], "one two\n", 8), 8);
    close(ends[1]);
    EXPECT_FALSE(read_piped(5));
    dup2(before.get(), STDIN_FILENO);
}

} // namespace
} // namespace clinic::provisioning
