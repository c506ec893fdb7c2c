#include "tests/e2e/setup/terminal.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iterator>
#include <sstream>
#include <stdexcept>

namespace clinic::e2e {
namespace {

constexpr std::chrono::seconds patience{90};

} // namespace

Terminal::Terminal(const std::string& command) {
    const winsize size{24, 80, 0, 0};
    child_ = forkpty(&master_, nullptr, nullptr, &size);
    if (child_ < 0) throw std::runtime_error{"there is no terminal"};
    if (child_ != 0) return;
    signal(SIGINT, SIG_DFL); // whoever started the tests in the background had it ignored
    execl("/bin/sh", "sh", "-c", ("exec " + command).c_str(), nullptr);
    _exit(127);
}

Terminal::~Terminal() {
    if (child_ > 0 && kill(child_, SIGKILL) == 0) waitpid(child_, nullptr, 0);
    close(master_);
}

bool Terminal::read_more(int timeout_ms) {
    pollfd ready{master_, POLLIN, 0};
    if (poll(&ready, 1, timeout_ms) != 1) return false;
    char part[4'096];
    const ssize_t got = read(master_, part, sizeof part);
    if (got > 0) seen_.append(part, static_cast<std::size_t>(got));
    return got > 0;
}

bool Terminal::sees(const std::string& text) {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
        const auto found = seen_.find(text, at_);
        if (found != std::string::npos) {
            at_ = found + text.size();
            return true;
        }
        if (std::chrono::steady_clock::now() > until) return false;
        if (!read_more(100) && kill(child_, 0) != 0) return false;
    }
}

bool Terminal::answer(const std::string& question, const std::string& text) {
    if (!sees(question) || !sees(": ")) return false;
    type(text);
    return true;
}

void Terminal::type(const std::string& line) {
    const std::string keys = line + "\n";
    keys_ += keys.size();
    ++answers_;
    if (write(master_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size()))
        throw std::runtime_error{"the terminal takes nothing"};
}

void Terminal::count_from_here() {
    counted_from_ = seen_.size();
    keys_ = 0;
    answers_ = 0;
    begun_ = std::chrono::steady_clock::now();
}

// What a person would need for the same, by the keystroke-level model (Card, Moran, Newell, 1983): 0.28 s a key for who
// is no typist and 1.35 s of thought before each answer; four words read a second; 13 words a minute written with a
// pen; and what the programs themselves took.
std::chrono::seconds Terminal::by_hand(int words_on_paper) const {
    std::istringstream in{seen_.substr(counted_from_)};
    const auto words = std::distance(std::istream_iterator<std::string>{in}, {});
    const std::chrono::duration<double> person{0.28 * static_cast<double>(keys_) + 1.35 * answers_ +
                                               static_cast<double>(words) / 4 + words_on_paper * 60.0 / 13};
    const auto programs = std::chrono::steady_clock::now() - begun_;
    return std::chrono::ceil<std::chrono::seconds>(person + programs);
}

void Terminal::interrupt() {
    const char key = 3;
    if (write(master_, &key, 1) != 1) throw std::runtime_error{"the terminal takes nothing"};
}

bool Terminal::ends() {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < until) {
        read_more(50);
        if (waitpid(child_, nullptr, WNOHANG) != child_) continue;
        child_ = -1;
        while (read_more(0)) continue;
        return true;
    }
    return false;
}

std::vector<std::string> Terminal::lines() const {
    std::vector<std::string> all;
    std::istringstream in{seen_};
    for (std::string line; std::getline(in, line);) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        const auto escape = line.rfind('\x1b'); // behind what wipes the screen a new line begins
        all.push_back(escape == std::string::npos ? line : line.substr(escape + 4));
    }
    return all;
}

std::vector<std::string> Terminal::grid() const {
    std::vector<std::string> words(24);
    std::istringstream in{seen_};
    for (std::string number, word; in >> number;) {
        if (number.size() < 2 || number.back() != '.' || number.find_first_not_of("0123456789.") != std::string::npos)
            continue;
        const auto place = static_cast<std::size_t>(std::atoi(number.c_str()));
        if (place >= 1 && place <= words.size() && in >> word) words[place - 1] = word;
    }
    return words.back().empty() ? std::vector<std::string>{} : words;
}

} // namespace clinic::e2e
