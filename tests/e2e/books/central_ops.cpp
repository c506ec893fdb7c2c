#include "tests/e2e/books/central_ops.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "tests/e2e/store_copy.h"

namespace clinic::e2e {

using nlohmann::json;

Watcher::Watcher(const Box& box, std::string through, int port)
    : heard_{box.folder() / "heard"}, pid_{box.folder() / "watcher.pid"}, through_{std::move(through)} {
    const auto& link = box.endpoints().at("mqtt");
    const auto text = [&](const char* key) { return "'" + link.at(key).get<std::string>() + "'"; };
    link_ = " -V 5 -q 1 -h 127.0.0.1 -p " + std::to_string(port != 0 ? port : link.at("port").get<int>()) +
            " --cafile " + text("ca") + " --cert " + text("cert") + " --key " + text("key");
    // The program ends with its broker, or where that is silent for a keep-alive: begun again at once.
    const std::string listen = through_ + "mosquitto_sub -i watcher -k 5" + link_ + " -t clinic/+/up/v1/#";
    std::ofstream{box.folder() / "watcher"} << "while :; do " << listen << "; sleep 0.1; done\n";
    run("(setsid sh '" + (box.folder() / "watcher").string() + "' > '" + heard_.string() +
        "' 2>/dev/null & echo $! > '" + pid_.string() + "')");
    EXPECT_TRUE(eventually([&] { return listens(); }));
}

Watcher::~Watcher() {
    pid_t pid = 0;
    std::ifstream{pid_} >> pid;
    if (pid > 1) kill(-pid, SIGKILL); // with what it runs
}

bool Watcher::listens() const {
    const std::string word = "word " + std::to_string(++words_);
    run(through_ + "timeout 5 mosquitto_pub" + link_ + " -t clinic/words/up/v1/word -m '" + word + "'");
    const auto heard = [&] {
        std::ifstream in{heard_};
        for (std::string line; std::getline(in, line);)
            if (line == word) return true;
        return false;
    };
    return eventually(heard, 1);
}

std::vector<json> Watcher::messages() const {
    std::vector<json> all;
    std::ifstream in{heard_};
    for (std::string line; std::getline(in, line);) {
        auto one = json::parse(line, nullptr, false);
        if (one.is_object()) all.push_back(std::move(one)); // else the last line is not whole yet
    }
    return all;
}

std::set<std::int64_t> Watcher::events() const {
    std::set<std::int64_t> numbers;
    for (const auto& one : messages())
        if (one.at("type") == "event") numbers.insert(one.at("data").at("number").get<std::int64_t>());
    return numbers;
}

StoredEvents stored_events(const Box& box) {
    StoreCopy copy{box};
    StoredEvents stored;
    if (!copy.opened()) return stored;
    const auto read = copy.store().read([&](records::Snapshot& session) -> Result<void> {
        auto find = session.prepare("SELECT number, acknowledged FROM event");
        if (!find) return find.error();
        for (;;) {
            const auto row = find->step();
            if (!row) return row.error();
            if (!*row) break;
            stored.made.insert(find->integer(0));
            stored.open += find->integer(1) == 0 ? 1 : 0;
        }
        return {};
    });
    EXPECT_TRUE(read);
    return stored;
}

void make_event(const Box& box, int number) {
    const auto name = "E" + std::to_string(number);
    const auto first = adt("A28", "C" + name, name, "Quillfeather", "Ottoline");
    auto second = first;
    second.replace(second.find("Ottoline"), 8, "Ottilie");
    for (const auto& one : {first, second})
        EXPECT_TRUE(eventually([&] { return box.send(one).find("MSA|AA|") != std::string::npos; }, 60));
}

} // namespace clinic::e2e
