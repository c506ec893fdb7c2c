// Step 5: who sends to the box, and what arrives, as it arrives: number, time, kind, size and sender, never its
// content.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "provisioning/setup_steps.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;
using setup::Step;
using Deadline = std::chrono::steady_clock::time_point;

constexpr int look_ms = 500;
constexpr int lines_a_look = 20;

// What the template says of every sender, where the sender's own settings do not.
json with_template(json feed, const json& chosen, const setup::Template* kind) {
    if (!feed.contains("status_words")) feed["status_words"] = chosen.value("status_words", json::object());
    if (kind == nullptr) return feed;
    for (const auto& [key, value] :
         {std::pair{"preadmit", kind->preadmit}, {"expect", kind->expect}, {"hours", kind->hours}})
        if (!feed.contains(key)) feed[key] = value;
    return feed;
}

std::set<std::string> names_of(const json& listed) {
    std::set<std::string> names;
    for (const json& one : listed.value("feeds", json::array())) names.insert(one.value("name", std::string{}));
    return names;
}

bool keep(const SetupDesk& desk, const json& feed) {
    const auto listed = desk.client.ask("feed-list", json::object());
    if (!listed) return false;
    const std::string name = feed.value("name", std::string{});
    const bool is_there = names_of((*listed)["data"]).contains(name);
    return desk.client.ask(is_there ? "feed-set" : "feed-add", feed).has_value();
}

// "10.0.0.7 10.0.1.0/24": apart by blanks.
json split(const std::string& text) {
    json all = json::array();
    for (std::size_t from = 0; from < text.size();) {
        const auto end = std::min(text.find_first_of(" ,", from), text.size());
        if (end > from) all.push_back(text.substr(from, end - from));
        from = end + 1;
    }
    return all;
}

// nullopt: the input ended. Each is kept at once, so that one that clinicd refuses can be typed again.
std::optional<std::vector<std::string>> ask_feeds(const SetupDesk& desk, const json& chosen,
                                                  const setup::Template* kind) {
    std::vector<std::string> names;
    for (;;) {
        const auto name = desk.talk.ask("Name of a sender, as pms (a-z, 0-9, -), or done", "done");
        if (!name) return std::nullopt;
        if (*name == "done") return names;
        const auto places = desk.talk.ask("Its address, or addresses apart by blanks");
        if (!places) return std::nullopt;
        if (keep(desk, with_template({{"name", *name}, {"addresses", split(*places)}}, chosen, kind)))
            names.push_back(*name);
    }
}

std::optional<std::vector<std::string>> told_feeds(const SetupDesk& desk, const json& chosen,
                                                   const setup::Template* kind) {
    std::vector<std::string> names;
    for (const json& feed : desk.answers->feeds.feeds) {
        names.push_back(feed.value("name", std::string{}));
        if (keep(desk, with_template(feed, chosen, kind))) continue;
        desk.talk.stop("clinicd does not take the sender " + names.back(),
                       "see above what is wrong with it, and mend feeds in the file of answers");
        return std::nullopt;
    }
    return names;
}

// What arrives, look by look.
class View {
public:
    View(const SetupDesk& desk, std::vector<std::string> names) : desk_{desk}, names_{std::move(names)} {}

    // One look. False: clinicd does not answer now.
    bool look() {
        const auto listed = desk_.client.try_ask("feed-list", json::object());
        if (!listed) return false;
        std::int64_t received = 0;
        for (const json& one : listed->value("feeds", json::array())) {
            const json& books = one.at("books");
            received += books.value("received", std::int64_t{0});
            const auto acknowledged =
                books.value("stored", std::int64_t{0}) + books.value("duplicate", std::int64_t{0});
            if (acknowledged > 0) heard_.insert(one.value("name", std::string{}));
        }
        if (received != received_) show_messages();
        received_ = received;
        for (const json& one : listed->value("turned_away", json::array())) show_stranger(one);
        return true;
    }
    bool all_heard() const {
        return std::all_of(names_.begin(), names_.end(), [this](const auto& one) { return heard_.contains(one); });
    }
    json facts(const char* ended) const {
        json all = json::array();
        for (const auto& name : names_) all.push_back({{"name", name}, {"heard", heard_.contains(name)}});
        return {{"feeds", std::move(all)}, {"ended", ended}};
    }

private:
    void show_messages() {
        const auto newest = desk_.client.try_ask("messages-list", {{"limit", lines_a_look}});
        if (newest)
            for (auto one = newest->rbegin(); one != newest->rend(); ++one)
                if (const auto id = one->value("id", std::int64_t{0}); id > last_) {
                    last_ = id;
                    desk_.talk.line("  " + one->value("received_at", std::string{}).substr(11, 8) + " " +
                                    one->value("feed", std::string{}) + "  " + one->value("kind", std::string{}) +
                                    ", " + std::to_string(one->value("bytes", 0)) + " bytes, acknowledged");
                }
        const auto refused = desk_.client.try_ask("quarantine-list", {{"limit", lines_a_look}});
        if (!refused) return;
        for (auto one = refused->rbegin(); one != refused->rend(); ++one)
            if (const auto id = one->value("id", std::int64_t{0}); id > last_refused_) {
                last_refused_ = id;
                desk_.talk.say("Not understood, and kept: " + one->value("reason", std::string{}) +
                               ". See: clinicctl quarantine show " + std::to_string(id));
            }
    }
    void show_stranger(const json& one) {
        const std::string address = one.value("address", std::string{});
        auto& shown = strangers_[address];
        const auto times = one.value("times", std::int64_t{0});
        if (shown == 0)
            desk_.talk.say("Turned away: " + address +
                           " speaks to the box and is on no list. If it is a sender: clinicctl feed set " +
                           (names_.empty() ? "NAME" : names_.front()) + " --address " + address);
        shown = times;
    }

    const SetupDesk& desk_;
    const std::vector<std::string> names_;
    std::set<std::string> heard_;
    std::map<std::string, std::int64_t> strangers_; // by address: how often it had come
    std::int64_t received_ = 0, last_ = 0, last_refused_ = 0;
};

// True: Enter was pressed, or the input has ended.
bool told_to_go_on(bool asks) {
    if (!asks) {
        const timespec pause{0, look_ms * 1'000'000L};
        nanosleep(&pause, nullptr);
        return false;
    }
    pollfd ready{STDIN_FILENO, POLLIN, 0};
    if (poll(&ready, 1, look_ms) != 1) return false;
    char typed = 0;
    while (read(STDIN_FILENO, &typed, 1) == 1 && typed != '\n') continue;
    return true;
}

json watch(const SetupDesk& desk, std::vector<std::string> names, std::optional<Deadline> until) {
    View view{desk, std::move(names)};
    for (;;) {
        view.look();
        if (view.all_heard()) return view.facts("all_heard");
        if (until && std::chrono::steady_clock::now() >= *until) return view.facts("go_on");
        if (told_to_go_on(desk.talk.asks())) return view.facts("go_on");
    }
}

} // namespace

StepFacts hear_feeds(const SetupDesk& desk) {
    const json chosen = desk.progress.facts(Step::terms).value("template", json::object());
    setup::Faults faults;
    const auto kind = setup::read_template(desk.templates, chosen.value("id", std::string{}), faults);
    const auto* defaults = kind ? &*kind : nullptr;
    const auto names = desk.answers != nullptr ? told_feeds(desk, chosen, defaults) : ask_feeds(desk, chosen, defaults);
    if (!names) {
        if (desk.answers == nullptr) desk.talk.stop("the input ended before the senders were named", "");
        return std::nullopt;
    }
    std::optional<Deadline> until;
    if (desk.answers != nullptr)
        until = std::chrono::steady_clock::now() + std::chrono::seconds{desk.answers->feeds.wait_s};
    if (names->empty())
        desk.talk.say("No sender is named yet. Later: clinicctl feed add NAME --address ADDRESS");
    else
        desk.talk.say(desk.answers == nullptr
                          ? "Have each of them send a message now. What arrives is shown here; Enter goes on without."
                          : "Waiting for the first message of each, so long as the answers say.");
    auto facts = watch(desk, *names, until);
    for (const json& one : facts["feeds"])
        desk.talk.fact(one.value("name", std::string{}),
                       one.value("heard", false) ? "a message of it was acknowledged" : "has not sent yet");
    return facts;
}

} // namespace clinic::provisioning
