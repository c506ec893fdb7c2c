#include "tests/e2e/canary/visits.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tests/e2e/canary/asked.h"
#include "tests/e2e/canary/pipelined_sender.h"
#include "tests/e2e/wire.h"

namespace clinic::e2e {
namespace {

constexpr int items_shown = 40, answer_s = 5;

std::string frame_of(const std::string& name, const char* kind, const std::string& rest) {
    return R"({"v":1,"frame":")" + std::string{kind} + "\"," + rest + name + "\"}";
}

} // namespace

std::string quoted(const std::string& text) {
    return "'" + text + "'";
}

void Visits::import(const std::string& kind, const std::string& text) {
    const auto folder = own_ / day_.word("filename", 1);
    std::filesystem::create_directory(folder);
    const auto file = folder / (day_.word("filename", 2) + "." + kind + ".csv");
    std::ofstream{file} << text;
    for (const char* form : {"", " --json"})
        places_.look("an import", box_.ctl("import " + kind + " " + quoted(file.string()) + form).out);
}

void Visits::import_files(std::size_t rows) {
    import("patients", day_.patients_csv(rows));
    import("appointments", day_.appointments_csv(rows));
    import("consents", day_.consents_csv(rows));
    import("patients", "record_number," + day_.word("column", 1) + "\n1,2\n");
    import("appointments", day_.word("column", 1));
    import("consents", "record_number,scope,state\n\"" + day_.word("column", 2));
    const auto absent = own_ / day_.word("filename", 3);
    places_.look("an import", box_.ctl("import patients " + quoted(absent.string())).out);
}

void Visits::replay() {
    const auto items = nlohmann::json::parse(box_.ctl("quarantine list --limit 200 --json").out, nullptr, false);
    places_.look("clinicctl quarantine replay", box_.ctl("quarantine replay --all").out);
    if (items.is_array() && !items.empty())
        places_.look("clinicctl quarantine replay",
                     box_.ctl("quarantine replay " + items.back().at("id").dump() + " --json").out);
}

void Visits::by_tls(std::size_t n) {
    places_.look("clinicctl feed", box_.ctl("feed add pms --certificate pms --sender 'PMS|CLINIC'").out);
    const auto& to = box_.endpoints().at("mllp_tls");
    const auto file = own_ / "by-tls";
    std::ofstream{file, std::ios::binary} << "\x0b" << day_.message(n) << "\x1c\r";
    const auto answer =
        run("(cat " + quoted(file.string()) + "; sleep 2) | timeout 20 openssl s_client -quiet " +
            "-verify_return_error -connect 127.0.0.1:" + std::to_string(to.at("port").get<int>()) + " -CAfile " +
            quoted(to.at("ca")) + " -cert " + quoted(to.at("cert")) + " -key " + quoted(to.at("key")) + " 2>/dev/null")
            .out;
    EXPECT_NE(answer.find("MSA|AA|"), std::string::npos);
    places_.look("an answer of MLLP by TLS", without_echo(answer));
}

std::string Visits::without_echo(std::string answers) {
    for (auto at = answers.find("\rMSA|"); at != std::string::npos; at = answers.find("\rMSA|", at + 1)) {
        const auto from = answers.find('|', at + 5) + 1;
        answers.erase(from, answers.find_first_of("|\r", from) - from);
    }
    return answers;
}

void Visits::knock_on_the_page() {
    const std::string name = day_.word("url", 1);
    for (const std::string& path : {"/" + name, "/api/v1/patients/" + name, "/api/v1/status?name=" + name,
                                    "/%00" + name, "/../" + name, "/" + std::string(9'000, 'a') + name})
        places_.look("the answer to a request", box_.page(path));
    const std::string curl =
        "curl --silent --include --max-time 10 --cacert " + quoted(box_.endpoints().at("console_ca"));
    const std::string page = quoted(box_.endpoints().at("console").get<std::string>() + "/api/v1/status");
    for (const std::string& how :
         {" -X " + name + " ", " -X POST -d " + name + " ", " -H 'Host: " + name + "' ",
          " -H 'Cookie: a=" + name + "' -H '" + name + ": b' ", " -A " + name + " -e " + name + " ",
          " -u " + name + ":" + name + " ", " -H 'Transfer-Encoding: " + name + "' "})
        places_.look("the answer to a request", run(curl + how + page).out);
}

// As the sender's user: frames that no schema knows.
void Visits::knock_on_egress(const std::filesystem::path& path) {
    const std::string name = day_.word("frame", 1);
    for (const std::string& frame :
         {name, frame_of(name, name.c_str(), R"("a":")"), frame_of(name, "lease", R"("destination":")"),
          frame_of(name, "attempt", R"("lease":1,"method":"POST","path":"/)" + name + R"(","body":")")}) {
        const auto socket = unix_socket(path, SOCK_SEQPACKET, sync_user);
        EXPECT_TRUE(send_all(socket, frame));
        char answer[65'536];
        const ssize_t got = recv(socket.get(), answer, sizeof answer, 0);
        EXPECT_GT(got, 0);
        places_.look("an answer on egress.sock", {answer, static_cast<std::size_t>(std::max<ssize_t>(got, 0))});
    }
}

void Visits::speak_nonsense() {
    const std::string name = day_.word("garbage", 2);
    for (const std::string& bytes : {name + "\x0b" + name, "GET /" + name + " HTTP/1.1\r\nHost: " + name + "\r\n\r\n",
                                     "\x0bMSH|" + name + "\x1c" + name + "\x1c\r", "\x0b" + name + "\x1c\r"})
        places_.look("an answer of MLLP", send_raw(static_cast<unsigned short>(box_.mllp_port()), bytes));
    const auto& link = box_.endpoints().at("mqtt");
    run("mosquitto_pub -V 5 -h 127.0.0.1 -p " + std::to_string(link.at("port").get<int>()) + " --cafile " +
        quoted(link.at("ca")) + " --cert " + quoted(link.at("cert")) + " --key " + quoted(link.at("key")) +
        " -t clinic/demo-1/down/v1/" + day_.word("downlink", 1) + " -m " + day_.word("downlink", 2));
    for (const std::string& words :
         {day_.word("header", 1) + " " + day_.word("header", 2), "basis set " + day_.word("header", 1),
          "basis set baa --expires " + day_.word("header", 1),
          "feed add " + day_.word("header", 1) + " --address " + day_.word("header", 2),
          "messages list --since " + day_.word("header", 1)})
        places_.look("an error of clinicctl", box_.ctl(words).out);
}

void Visits::read_quarantine() {
    show_each("quarantine list --limit 200 --json", "quarantine show ");
}

// There may be none.
void Visits::read_dead() {
    const auto letters = nlohmann::json::parse(box_.ctl("sync dead list --limit 200 --json").out, nullptr, false);
    EXPECT_TRUE(letters.is_array());
    for (const auto& one : letters)
        places_.look("clinicctl sync dead show", box_.ctl("sync dead show " + one.at("number").dump()).out);
}

void Visits::show_each(const std::string& list, const std::string& show) {
    const auto items = nlohmann::json::parse(box_.ctl(list).out, nullptr, false);
    EXPECT_TRUE(items.is_array() && !items.empty()) << list;
    int shown = 0;
    for (const auto& one : items) {
        if (++shown > items_shown) break;
        const auto answer = box_.ctl(show + one.at("id").dump());
        EXPECT_EQ(answer.exit, 0) << show;
        places_.look("clinicctl " + show, answer.out);
    }
}

void Visits::ask_clinicctl(const std::string& words) {
    const auto answer = box_.ctl(words);
    EXPECT_FALSE(answer.out.empty() && !words.starts_with("ledger --json")) << words;
    places_.look("clinicctl " + words, answer.out);
}

void Visits::read_clinicctl() {
    show_each("messages list --limit 200 --json", "messages show ");
    read_dead();
    read_quarantine();
    read_links();
    const auto asked = asked_of_clinicctl();
    for (const auto& one : asked)
        for (const auto words : one.ways) ask_clinicctl(std::string{words});
    for (int after = 1'000; after < 3'000; after += 500)
        ask_clinicctl("ledger --json --limit 500 --after " + std::to_string(after));
    std::istringstream lines{box_.ctl("commands").out};
    for (std::string line; std::getline(lines, line);) {
        const auto is_it = [&](std::string_view command) {
            return (line + " ").starts_with(std::string{command} + " ");
        };
        EXPECT_TRUE(std::ranges::any_of(asked, is_it, &Asked::command) || std::ranges::any_of(asked_elsewhere, is_it) ||
                    std::ranges::any_of(not_asked, is_it))
            << "a command that nobody reads: " << line;
    }
}

// Those that may be linked, masked; and what is said to nonsense.
void Visits::read_links() {
    const auto links = nlohmann::json::parse(box_.ctl("link list --json").out, nullptr, false);
    const auto choices = links.is_object() ? links.value("choices", nlohmann::json::array()) : nlohmann::json::array();
    EXPECT_FALSE(choices.empty());
    int shown = 0;
    for (const auto& one : choices) {
        if (++shown > items_shown) break;
        const std::string show = "link show " + one.at("contact").get<std::string>();
        ask_clinicctl(show);
        ask_clinicctl(show + " --json");
    }
    const std::string nonsense = day_.word("header", 1), reason = " --reason test";
    for (const auto& words : {"link show " + nonsense, "link set " + nonsense + " " + nonsense + reason,
                              "link unset " + nonsense + reason, "link split " + nonsense + " " + nonsense + reason,
                              "link merge " + nonsense + " " + nonsense + reason, "erase --pid " + nonsense + reason})
        ask_clinicctl(words);
}

void Visits::erase_somebody(std::size_t p) {
    const auto typed = own_ / "typed";
    std::ofstream{typed} << day_.word("record", p) << "\nerase\n";
    const auto answer = box_.ctl("erase --patient --reason test <" + quoted(typed.string()));
    EXPECT_EQ(answer.exit, 0) << answer.out;
    places_.look("clinicctl erase", answer.out);
}

// With the box down: the store is read, and a salvaged copy of it lies in the box's folder with the other files.
void Visits::read_store() {
    const auto folder = box_.folder();
    const std::string store = " --records " + quoted((folder / "records").string()) + " --credential " +
                              quoted((folder / "keys" / "store.key").string());
    const auto saved = quoted((folder / "saved").string());
    for (const auto& words : {"store inspect" + store, "store inspect --json" + store, "store check" + store,
                              "store check --json" + store, "store salvage --json --to " + saved + store,
                              "store mend-keys --json --from " + saved + "/keys.db" + store}) {
        const auto answer = box_.ctl(words);
        EXPECT_EQ(answer.exit, 0) << words << answer.out;
        places_.look("clinicctl " + words, answer.out);
    }
    ask_clinicctl("store restore --json --from " + quoted(day_.word("filename", 4)) + store);
}

void Visits::read_pages(const std::string& console) {
    const std::string curl = "curl --silent --include --cacert " + quoted(box_.endpoints().at("console_ca"));
    for (const char* path : {"/", "/trust", "/help/E2020", "/help/absent", "/api/v1/status", "/api/health", "/metrics",
                             "/absent", "/api/v1/patients", "/api/v1/events"})
        places_.look(std::string{"the page "} + path,
                     run(curl + (std::string{path} == "/api/v1/events" ? " --max-time 3 " : " --max-time 10 ") +
                         quoted(console + path))
                         .out);
}

} // namespace clinic::e2e
