// Containment from outside: a clinic's day full of canaries goes through the whole product, and then everything that
// came out of it is searched. docs/proofs.md.
#include <signal.h>

#include <cstdio>
#include <map>

#include "tests/e2e/canary/own_network.h"
#include "tests/e2e/canary/pipelined_sender.h"
#include "tests/e2e/canary/room.h"
#include "tests/support/campaign.h"

namespace clinic::e2e {
namespace {

constexpr std::size_t messages_plain = 20'000, messages_long = 100'000; // of a round
constexpr std::size_t connections = 4, csv_rows = 200;
constexpr std::size_t whole_way = 6'000, in_a_wave = 1'000; // these go to GHL; the later ones wait for a contact
constexpr std::size_t requests_min = 1'200;                 // both states of somebody are one
constexpr int settled_s = 600;
constexpr std::size_t seeded = 40; // of each sort

class Day {
public:
    Day(std::uint64_t seed, std::size_t messages) : seed_{seed}, messages_{messages}, room_{seed} {}

    // What practice systems, the front desk, an attacker on the LAN and GHL say to the box.
    void live() {
        room_.attempts->forget();
        room_.control_ghl({{"fault", "person-in-error"},
                           {"count", 12},
                           {"text", room_.day.word("ghlperson", 1) + " " + room_.day.word("ghlmail", 1) +
                                        "@example.org +" + room_.day.number("ghlphone", 1)}});
        for (std::size_t from = 0; from < whole_way; from += in_a_wave) {
            send(from, from + in_a_wave);
            room_.places.look_at_processes(); // while it is on its way
            settle();
        }
        people_change_their_minds();
        EXPECT_EQ(room_.box.ctl("policy unlinked park").exit, 0);
        send(whole_way, messages_);
        people_are_in_ghl();
        all_is_compared();
        std::size_t wrong = 0;
        for (std::size_t n = 0; n < messages_; ++n) wrong += ClinicDay::is_wrong(n) ? 1U : 0U;
        EXPECT_EQ(accepted_, messages_ - wrong);
        EXPECT_EQ(refused_, wrong);
        auto& visits = room_.visits;
        visits.by_tls(messages_);
        visits.replay();
        visits.read_quarantine(); // before the lines of files are in it
        visits.import_files(csv_rows);
        visits.knock_on_the_page();
        visits.knock_on_egress(room_.box.folder() / "run" / "egress.sock");
        visits.speak_nonsense();
        count_attempts();
        visits.read_clinicctl();
        visits.erase_somebody(ClinicDay::people(whole_way) - 1);
        visits.read_pages(room_.box.endpoints().at("console"));
        room_.places.look_at_processes();
    }

    // Consent is given, and taken back; then the daily job.
    void people_change_their_minds() {
        const auto people = ClinicDay::people(whole_way);
        for (const auto& [scope, state] :
             {std::pair{"marketing", "granted"}, {"reminders", "revoked"}, {"crm_sync", "revoked"}}) {
            const auto before = written("archived");
            room_.visits.import("consents", room_.day.wishes_csv(people, scope, state));
            settle();
            if (std::string{scope} == "crm_sync") {
                EXPECT_GT(written("archived"), before + people / 10);
            }
        }
        EXPECT_EQ(room_.box.ctl("release daily").exit, 0);
        settle();
    }

    // Leads whom the polling reads, names and all: some are nobody's, some a patient's who has a contact already (a
    // choice), some a patient's who waits for one (a link).
    void people_are_in_ghl() {
        const auto lead = [&](std::size_t n, const std::string& mail, const std::string& phone) {
            const auto& day = room_.day;
            return nlohmann::json{{"firstName", day.word("ghlperson", n)},
                                  {"lastName", day.word("family", n)},
                                  {"email", mail},
                                  {"phone", phone},
                                  {"tags", {day.word("ghlperson", n)}},
                                  {"source", day.word("ghlperson", n)}};
        };
        const auto of_patient = [&](std::size_t p) {
            return lead(p, room_.day.word("mail", p) + "@" + room_.day.word("domain", p) + ".example",
                        "+" + room_.day.number("mobile", p));
        };
        auto contacts = nlohmann::json::array();
        const auto linked = ClinicDay::people(whole_way), last = ClinicDay::people(messages_);
        for (std::size_t n = 0; n < seeded; ++n) {
            contacts.push_back(
                lead(n, room_.day.word("ghlmail", n) + "@example.org", "+" + room_.day.number("ghlphone", n)));
            contacts.push_back(of_patient(n));
            if (linked + n < last) contacts.push_back(of_patient(linked + n));
        }
        room_.seed_ghl(contacts);
        std::string said;
        EXPECT_TRUE(eventually(
            [&] {
                said = room_.box.ctl("link list --json").out;
                const auto list = nlohmann::json::parse(said, nullptr, false);
                return list.is_object() && list.contains("choices") && list["choices"].size() >= seeded / 2;
            },
            settled_s))
            << said;
        room_.places.look("clinicctl link list", said);
        std::string links;
        EXPECT_TRUE(eventually(
            [&] {
                links = room_.box.ctl("audit list --limit 200 --json").out;
                return links.find("crm_linked") != std::string::npos;
            },
            settled_s));
        settle();
    }

    // All of GHL is read once more, names and all, and compared.
    void all_is_compared() {
        std::string said = room_.box.ctl("sync compare --json").out;
        EXPECT_TRUE(eventually(
            [&] {
                said = room_.box.ctl("sync compare --dry-run --json").out;
                const auto facts = nlohmann::json::parse(said, nullptr, false);
                return facts.is_object() && facts.contains("last") && facts["last"].is_object();
            },
            settled_s))
            << said;
        room_.places.look("clinicctl sync compare", said);
        room_.places.look("clinicctl sync repair", room_.box.ctl("sync repair --kind fields").out);
        settle();
    }

    // Of a whole day not one call; then the report of the containment tries each, and those are seen.
    void count_attempts() {
        if (!room_.attempts->counts()) {
            std::puts("canary: this kernel has no trace of refused calls: clinicd's own attempts are not counted");
            return;
        }
        EXPECT_EQ(room_.attempts->refused(), std::vector<std::string>{});
        const auto report = room_.box.ctl("containment");
        EXPECT_EQ(report.exit, 0);
        room_.places.look("clinicctl containment", report.out);
        std::string all;
        for (const auto& one : room_.attempts->refused()) all += one + "\n";
        for (const char* call : {"socket", "connect", "sendto", "sendmsg", "sendmmsg"})
            EXPECT_NE(all.find(std::string{": "} + call + "\n"), std::string::npos) << call;
    }

    // Memory goes nowhere when a program is made to crash, and the box is there again. First the kernel would write a
    // file: the program's own limit is 0, where what started it has none. Then it would hand the memory to a handler,
    // for which no limit counts: the program is not dumpable. A program of ours that renounced nothing is found both
    // times, before and after.
    void crash_both() {
        for (const bool handler : {false, true}) {
            handler ? room_.dumps.by_handler() : room_.dumps.by_file();
            crash_a_control();
            for (const char* program : {"clinicd", "clinic-syncd"})
                for (const int signal : {SIGSEGV, SIGABRT}) {
                    crash(program, signal); // of the first, the box's own start came before our limit
                    EXPECT_TRUE(eventually([&] { return has_no_dumps(program); }, 60)) << program;
                }
            EXPECT_EQ(room_.dumps.all(), std::vector<std::filesystem::path>{});
            EXPECT_TRUE(room_.dumps.is_in_effect());
            crash_a_control();
        }
        room_.places.look_at_processes();
    }

    void read_the_store() {
        room_.box.stop();
        room_.visits.read_store();
    }

    void look() {
        room_.look_everywhere();
        EXPECT_EQ(room_.places.found(), std::vector<std::string>{}) << "seed " << seed_;
        EXPECT_EQ(room_.tap.strays(), std::vector<std::string>{}) << "seed " << seed_;
        EXPECT_TRUE(room_.tap.saw_all());
        EXPECT_NE(room_.ghl->inward().find(room_.day.word("ghlperson", 1)), std::string::npos)
            << "a person in an error";
        EXPECT_GT(room_.tap.bytes().size(), 100'000U);
        EXPECT_NE(room_.heard().find("/up/"), std::string::npos);
        for (const char* span : {R"("name":"message")", R"("name":"ghl request")"})
            EXPECT_NE(room_.traces().find(span), std::string::npos) << span;
    }

    // It was a day on which much left, by every kind of request.
    void count() {
        std::map<std::string, std::size_t> kinds;
        for (const auto& one : room_.box.requests()) {
            std::string path = one.at("path");
            if (path.starts_with("/contacts/") && path.size() > 12 && path != "/contacts/search")
                path = path.ends_with("/tags") ? "/contacts/{id}/tags" : "/contacts/{id}";
            if (path.starts_with("/opportunities/")) path = path.substr(0, path.find('?'));
            if (one.at("method") == "PUT" && path.starts_with("/opportunities/")) path = "/opportunities/{id}";
            ++kinds[one.at("method").get<std::string>() + " " + path];
        }
        std::size_t all = 0;
        std::string text;
        for (const auto& [kind, times] : kinds) {
            all += times;
            text += ", " + std::to_string(times) + " " + kind;
        }
        EXPECT_GT(all, requests_min);
        for (const char* kind :
             {"POST /contacts/", "POST /contacts/search", "PUT /contacts/{id}", "POST /contacts/{id}/tags",
              "DELETE /contacts/{id}/tags", "POST /opportunities/", "PUT /opportunities/{id}"})
            EXPECT_GT(kinds[kind], 10U) << kind;
        std::printf("canary: seed %llu, %zu canaries, %zu messages, %zu requests to GHL%s; %zu files and %llu bytes "
                    "searched\n",
                    static_cast<unsigned long long>(seed_), room_.day.canaries().size(), accepted_ + refused_, all,
                    text.c_str(), room_.places.files(), static_cast<unsigned long long>(room_.places.bytes()));
    }

private:
    void send(std::size_t from, std::size_t to) {
        const auto answers = send_all(static_cast<unsigned short>(room_.box.mllp_port()), from, to, connections,
                                      [this](std::size_t n) { return room_.day.message(n); });
        accepted_ += answers.accepted;
        refused_ += answers.refused;
        room_.places.look("answers of MLLP", Visits::without_echo(answers.text));
    }
    void settle() {
        EXPECT_TRUE(eventually([this] { return room_.settled(); }, settled_s));
    }
    std::size_t written(const std::string& word) const {
        std::size_t times = 0;
        for (const auto& one : room_.box.requests())
            times += one.at("body").get<std::string>().find(word) != std::string::npos ? 1U : 0U;
        return times;
    }
    void crash_a_control() {
        const auto dump = room_.dumps.control(room_.day.word("dump", 1), daemon_user);
        ASSERT_FALSE(dump.empty());
        EXPECT_FALSE(room_.search.in_file(dump).empty());
        std::filesystem::remove(dump);
    }
    // Before its `main` it has the limit of what started it, and nothing in its memory but libraries.
    bool has_no_dumps(const char* program) {
        const auto all = room_.box.pids(program);
        return !all.empty() && std::ranges::all_of(all, [](pid_t one) { return Dumps::limit(one) == "0"; });
    }

    void crash(const char* program, int signal) {
        EXPECT_TRUE(room_.signal_program(program, signal)) << program;
        EXPECT_TRUE(eventually([this] { return room_.is_up() && room_.settled(); }, 60)) << program;
    }

    std::uint64_t seed_;
    std::size_t messages_;
    Room room_;
    std::size_t accepted_ = 0, refused_ = 0;
};

TEST_F(Canary, NothingOfADayIsFoundAnywhere) {
    const std::size_t messages = support::long_run() ? messages_long : messages_plain;
    support::Campaign campaign{{.name = "canary", .what = "messages", .plain = 1, .most = 10, .weight = messages}};
    while (const auto seed = campaign.next()) {
        Day day{*seed, messages};
        day.live();
        day.crash_both();
        day.read_the_store();
        day.look();
        day.count();
    }
}

} // namespace
} // namespace clinic::e2e
