// The installed box on a real systemd: it waits for setup, serves, holds what it promises under its units, and comes
// back from kills, stops and power cuts. In the order in which they stand, on one machine.
#include <atomic>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "tests/e2e/appliance/on_machine.h"
#include "tests/e2e/appliance/senders.h"
#include "tests/e2e/canary/clinic_day.h"
#include "tests/e2e/canary/pipelined_sender.h"
#include "tests/support/canary.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

class Appliance : public OnMachine {
protected:
    static void SetUpTestSuite() {
        if (geteuid() != 0) return;
        boot();
    }
    void TearDown() override {
        if (HasFailure() && machine_)
            std::fputs(box().in("journalctl -b --no-pager -o short-monotonic -u 'clinic*' | tail -n 60").out.c_str(),
                       stderr);
    }
    static json books() { return box().status().at("egress").at("crm"); }
    static bool all_is_delivered() {
        return eventually(
            [] {
                const auto now = books();
                return now.at("pending") == 0 && now.at("leased") == 0 && now.at("parked") == 0;
            },
            patience_s);
    }
    // Which messages' answers were not what became of them: a stored one is a duplicate when it comes again.
    static std::string stored_otherwise(const std::vector<Spoken>& spoken) {
        std::ostringstream all;
        const auto duplicates = [] { return box().status().at("intake").at("mllp").at("duplicate").get<long>(); };
        for (const auto& one : spoken) {
            const long before = duplicates();
            box().send(one.message);
            if ((duplicates() > before) != one.is_acknowledged())
                all << (one.is_acknowledged() ? "not stored: " : "stored: ") << one << "\n";
        }
        return all.str();
    }
};

TEST_F(Appliance, IsInstalledByAptAndWaitsForItsSetup) {
    const auto installed = box().install();
    ASSERT_EQ(installed.exit, 0) << installed.out;
    EXPECT_TRUE(eventually([] { return box().is_active("clinicd.service"); }, patience_s));
    EXPECT_EQ(box().ask("systemctl is-system-running"), "running") << box().in("systemctl --failed").out;
    EXPECT_EQ(box().ask("systemctl show --property=NRestarts --value clinicd"), "0");
    const auto said = box().status();
    EXPECT_EQ(said.value("mode", ""), "locked");
    EXPECT_FALSE(said.value("ready", true));
    EXPECT_EQ(box().in("clinicctl status").exit, 2);
    EXPECT_EQ(box().ask("systemctl show --property=ConditionResult --value clinic-syncd"), "no");
    EXPECT_EQ(box().send(next_message()), "") << "no address may come in yet";
}

// Nobody has set anything up: the page is there, by a certificate that can be trusted, and the console says how.
TEST_F(Appliance, ItsPageCanBeTrustedFromTheFirstMoment) {
    EXPECT_EQ(box().page("/").rfind("HTTP/1.1 200", 0), 0U);
    EXPECT_EQ(box()
                  .in("curl --silent --show-error --max-time 10 --cacert /etc/clinic-edge/tls/local-ca.pem "
                      "--resolve clinic-edge.local:443:127.0.0.1 https://clinic-edge.local/trust | grep -o "
                      "$(clinicctl tls show --json | jq -r .authority_sha256)")
                  .exit,
              0);
    EXPECT_EQ(box().ask("curl --silent --insecure https://127.0.0.1/trust/clinic-edge.crt | cmp - "
                        "/etc/clinic-edge/tls/local-ca.pem && echo same"),
              "same");
    EXPECT_NE(box().in("cat /run/issue.d/clinic-edge.issue").out.find("https://clinic-edge.local/"), std::string::npos);
    EXPECT_TRUE(box().is_active("clinic-edge-tls.timer"));
    EXPECT_NE(box().in("cat /etc/clinic-edge/keys/local-ca").out.find_first_of("ABCDEFGH"), std::string::npos);
    EXPECT_EQ(box().in("grep -rl PRIVATE /etc/clinic-edge").out, "") << "keys are sealed";
}

TEST_F(Appliance, ItsUnitsAreAsSystemdWantsThem) {
    const auto verified = box().in("cd /lib/systemd/system; systemd-analyze verify clinic*.service clinic*.socket "
                                   "clinic*.timer clinic*.path clinic-edge.target");
    EXPECT_EQ(verified.exit, 0);
    EXPECT_EQ(verified.out, "");
    for (const char* page : {"clinicctl.1", "clinicd.8", "clinic-syncd.8", "clinicd.json.5", "clinic-syncd.json.5"})
        EXPECT_EQ(box().in("MANWIDTH=80 man --warnings -P cat " + std::string{page} + " >/dev/null").out, "") << page;
}

// A clinic's network and, beside it, one that anybody may be in: two cables to a neighbour in a network of its own.
TEST_F(Appliance, ItsPortsAreForTheClinicsNetworkAndItsNameIsKnownThere) {
    ASSERT_EQ(box()
                  .in("ip netns add neighbour\n"
                      "for n in 1 2; do ip link add box$n type veth peer name desk$n netns neighbour; done\n"
                      "ip address add 192.168.7.20/24 dev box1; ip address add 203.0.113.20/24 dev box2\n"
                      "ip link set box1 up; ip link set box2 up\n"
                      "ip -n neighbour address add 192.168.7.30/24 dev desk1\n"
                      "ip -n neighbour address add 203.0.113.30/24 dev desk2\n"
                      "ip -n neighbour link set desk1 up; ip -n neighbour link set desk2 up")
                  .exit,
              0);
    EXPECT_TRUE(box().is_active("clinic-edge-firewall.service"));
    const auto reaches = [](const std::string& address) {
        return box()
                   .in("ip netns exec neighbour curl --silent --insecure --max-time 3 https://" + address +
                       "/api/health")
                   .out.find("\"alive\"") != std::string::npos;
    };
    EXPECT_TRUE(eventually([&] { return reaches("192.168.7.20"); }, patience_s));
    EXPECT_FALSE(reaches("203.0.113.20"));
    EXPECT_NE(box().in("nft list chain inet clinic_edge input").out.find("counter packets"), std::string::npos);
    EXPECT_EQ(box().in("nft list chain inet clinic_edge input | grep 'counter packets 0 '").out, "")
        << "it was this filter";

    ASSERT_EQ(box().in("clinicctl tls keep").exit, 0) << "the timer's work: a new address";
    EXPECT_TRUE(eventually(
        [] {
            return box()
                       .in("ip netns exec neighbour curl --silent --fail --max-time 10 --cacert "
                           "/etc/clinic-edge/tls/local-ca.pem https://192.168.7.20/trust >/root/trust.html")
                       .exit == 0;
        },
        patience_s));
    EXPECT_TRUE(eventually(
        [] { return box().ask("avahi-resolve -4 -n clinic-edge.local") == "clinic-edge.local\t192.168.7.20"; },
        patience_s))
        << box().in("systemctl status avahi-daemon; journalctl -b --no-pager -u avahi-daemon -u dbus | tail -n 20").out;
    EXPECT_EQ(box().in("ip link del box1; ip link del box2; ip netns del neighbour").exit, 0);
}

TEST_F(Appliance, ServesOnceItIsSetUp) {
    box().set_up();
    RecordProperty("setup_ms", static_cast<int>(box().setup_took().count()));
    EXPECT_LT(box().setup_took(), std::chrono::seconds{60});
    EXPECT_EQ(box().ask("clinicctl setup --status --json | jq '[.steps[] | select(.done_at)] | length'"), "6");
    EXPECT_EQ(box().ask("cd /var/lib/clinic-edge/setup; clinicctl setup verify handover.json --json --key "
                        "$(jq -r .signature.key handover.json) | jq -r '.steps.proof.ops.acknowledged, "
                        ".steps.proof.ghl.sent, (.steps.keys.slots | map(.kind) | sort | join(\" \"))'"),
              "true\ntrue\nmachine recovery");
    EXPECT_EQ(box().ask("stat -c %a,%U /etc/clinic-edge/clinicd.json /etc/clinic-edge/keys/handover "
                        "/var/lib/clinic-edge/setup"),
              "644,root\n600,root\n700,root");
    EXPECT_EQ(box().send(next_message()), "AA");
    EXPECT_EQ(box().stored(), 1);
    EXPECT_EQ(box().page("/").rfind("HTTP/1.1 200", 0), 0U);
    EXPECT_EQ(box().page("/api/health").rfind("HTTP/1.1 200", 0), 0U);
    EXPECT_NE(box().in("clinicctl status").exit, 2);
    EXPECT_TRUE(eventually(
        [] {
            const auto contacts = box().ghl().value("contacts", json::array());
            return contacts.size() == 2 && contacts[1].value("firstName", "").rfind("p_", 0) == 0;
        },
        patience_s))
        << "the person's pseudonym reaches GHL, as the setup's test person's did";
    EXPECT_EQ(box().ask("systemctl is-system-running"), "running") << box().in("systemctl --failed").out;
    for (const char* unit : {"clinicd", "clinic-syncd"})
        RecordProperty(std::string{unit} + "_memory_bytes",
                       box().ask(std::string{"awk '/^Rss:/ {s += $2} END {print s * 1024}' /proc/"} +
                                 std::to_string(box().main_process(std::string{unit} + ".service")) + "/smaps_rollup"));
}

// What the machine of the test is like aside: its disk, its clock, its network.
TEST_F(Appliance, CheckFindsTheBoxWellUnderItsUnits) {
    const auto report = json::parse(box().in("clinicctl check --json").out, nullptr, false);
    ASSERT_TRUE(report.is_object());
    const std::set<std::string> boxs{"setup", "keys", "services", "box", "delivery"};
    for (const auto& check : report.at("checks")) {
        if (!boxs.contains(check.at("group")) || check.at("id") == "package.others") continue;
        EXPECT_EQ(check.at("result"), "ok") << check.dump();
    }
}

// The same as root sees by hand: what the unit denies makes no fault of its own.
TEST_F(Appliance, TheHourlyCheckIsToldUnderItsUnit) {
    EXPECT_TRUE(box().is_active("clinic-edge-check.timer"));
    const auto by_hand = json::parse(box().in("clinicctl check --json").out, nullptr, false);
    EXPECT_EQ(box().in("systemctl start clinic-edge-check.service").exit, 0);
    EXPECT_EQ(box().ask("systemctl is-failed clinic-edge-check.service || true"), "inactive");
    const auto told = box().status().at("checks");
    const auto ails = [](const json& checks) {
        std::map<std::string, std::string> all;
        for (const auto& one : checks)
            if (one.at("result") == "warn" || one.at("result") == "fail") all[one.at("id")] = one.at("result");
        std::erase_if(all, [](const auto& one) { return one.first.starts_with("machine."); }); // as it is at the moment
        return all;
    };
    EXPECT_EQ(ails(told.at("ailing")), ails(by_hand.at("checks")));
    EXPECT_LE(told.at("counts").at("not_known"), by_hand.at("counts").at("not_known").get<int>() + 1)
        << "the containment from outside alone is not for it to see";
    EXPECT_EQ(box().in("journalctl -b -u clinic-edge-check --no-pager -o cat | grep -c 'clinicctl:'").out, "0\n");
}

TEST_F(Appliance, ABundleHasWhatItsUnitsSaidAndOpensWithItsKey) {
    ASSERT_EQ(
        box()
            .in("cd /root; jq --arg key $(clinicctl bundle keygen --out ops.key 2>/dev/null) '.support.key = $key' "
                "/etc/clinic-edge/clinicd.json >new.json && cat new.json >/etc/clinic-edge/clinicd.json")
            .exit,
        0);
    ASSERT_EQ(box()
                  .in("cd /root; clinicctl bundle --reason 'a test of ours' --out b && clinicctl bundle open b --key "
                      "ops.key --out opened")
                  .exit,
              0);
    EXPECT_EQ(box().ask("jq '[.contents[] | select(has(\"missing\"))] | length' /root/opened/manifest.json"), "0")
        << box().in("cat /root/opened/manifest.json").out;
    EXPECT_EQ(box().ask("jq .audited /root/opened/manifest.json"), "true");
    EXPECT_EQ(box().ask("jq '[.lines[] | select(.what == \"ready\" or has(\"what\"))] | length > 0' "
                        "/root/opened/journal.json"),
              "true")
        << box().in("tail -c 3000 /root/opened/journal.json").out;
    EXPECT_EQ(box().ask("jq '[.lines[] | select(has(\"message_id\"))] | length > 0' /root/opened/journal.json"),
              "true");
    EXPECT_EQ(box().ask("jq -r '.units[\"clinicd.service\"].ActiveState' /root/opened/units.json"), "active");
    EXPECT_EQ(box().ask("jq -r 'has(\"clinic-edge\")' /root/opened/packages.json"), "true");
    EXPECT_NE(box().in("clinicctl audit list --limit 5").out.find("support_bundle"), std::string::npos);
    EXPECT_EQ(box().in("grep -r Quillfeather /root/opened").exit, 1);
}

TEST_F(Appliance, NoWayOutHoldsUnderTheUnit) {
    const auto said = box().in("clinicctl containment --json");
    EXPECT_EQ(said.exit, 0) << said.out;
    const auto report = json::parse(said.out, nullptr, false);
    ASSERT_TRUE(report.is_object());
    EXPECT_EQ(report.at("holds"), true);
    EXPECT_GT(report.at("inside").size(), 20U);
    EXPECT_GT(report.at("outside").size(), 5U);
    // And what the unit alone gives, by the process' own view of the files.
    const std::string process = "/proc/" + std::to_string(box().main_process("clinicd.service"));
    EXPECT_EQ(box().ask("cd " + process +
                        "/root/run; find . -mindepth 1 -not -path './credentials*' -not -type d | "
                        "sort"),
              "./dbus/system_bus_socket\n./systemd/notify");
    EXPECT_NE(box().in("touch " + process + "/root/etc/written").out.find("Read-only file system"), std::string::npos);
    EXPECT_EQ(
        box().ask("cd " + process + "/root; find home root var/lib/clinic-edge/sync etc/clinic-edge/keys -mindepth 1"),
        "");
    EXPECT_NE(box().in(process + "/root/bin/true").out.find("Permission denied"), std::string::npos)
        << "nothing else is run";
    EXPECT_EQ(box().ask("nsenter --net=" + process + "/ns/net ip -o link show | wc -l"), "1");
}

TEST_F(Appliance, TheSendersUserCannotOpenTheRecordsOrTheKeys) {
    const std::string as_sender = "setpriv --reuid=clinic-sync --regid=clinic-sync --clear-groups ";
    const auto pid = std::to_string(box().main_process("clinicd.service"));
    for (const std::string file :
         {"/var/lib/clinic-edge/records/records.db", "/var/lib/clinic-edge/records/keys.db",
          "/etc/clinic-edge/keys/clinic-edge.store", "/run/credentials/clinicd.service/clinic-edge.store",
          "/run/credstore.encrypted/clinic-edge.store", "/proc/PID/mem", "/proc/PID/environ", "/proc/PID/maps"}) {
        const std::string named = file.find("PID") == std::string::npos ? file : "/proc/" + pid + file.substr(9);
        ASSERT_EQ(box().in("[ -e " + named + " ]").exit, 0) << named;
        const auto tried = box().in(as_sender + "cat " + named);
        EXPECT_NE(tried.exit, 0) << named;
        EXPECT_TRUE(tried.out.find("Permission denied") != std::string::npos ||
                    tried.out.find("Operation not permitted") != std::string::npos)
            << named << tried.out;
    }
    EXPECT_EQ(box().in(as_sender + "clinicctl status").exit, 2);
    // In its own view they are not even there for root.
    const std::string view = "/proc/" + std::to_string(box().main_process("clinic-syncd.service")) + "/root";
    EXPECT_EQ(box().in("[ -S " + view + "/run/clinic-edge/egress.sock ]").exit, 0);
    for (const char* hidden : {"/var/lib/clinic-edge/records/records.db", "/run/dbus/system_bus_socket",
                               "/etc/clinic-edge/keys/clinic-edge.store"})
        EXPECT_NE(box().in("[ -e " + view + hidden + " ]").exit, 0) << hidden;
    EXPECT_EQ(box().ask("stat -c %a " + view + "/run/clinic-edge/control.sock"), "0")
        << "another one, without a listener";
    EXPECT_EQ(box().ask("journalctl -b -u clinic-syncd -o cat | grep -c 'the records are closed to this user'"), "1");
}

// What a machine writes down about its programs: each line and field of the journal, its files, and everything else
// that was written since the package came. The emulator's own record is part of it: it is what left.
TEST_F(Appliance, NobodyIsNamedInTheJournalOrInAnyFile) {
    constexpr std::size_t messages = 400;
    const ClinicDay day{1};
    const support::Search search{day.canaries()};
    const auto worded = [](const std::vector<support::Hit>& hits) {
        std::vector<std::string> all;
        for (const auto& hit : hits) all.push_back(hit.canary + " as " + hit.form);
        return all;
    };
    const auto answers = send_all(mllp_port, 0, messages, 4, [&](std::size_t n) { return day.message(n); });
    EXPECT_EQ(answers.accepted + answers.refused, messages);
    EXPECT_GT(answers.refused, 0U);
    const auto name = day.word("family", 1);
    send_raw(mllp_port, name + "\r\n");
    box().page("/" + name + "?q=" + name);
    box().in("clinicctl " + name + "; clinicctl messages show " + name + "; true");
    for (const std::string unit : {"clinicd.service", "clinic-syncd.service"}) {
        const long old = box().main_process(unit);
        ASSERT_EQ(box().in("kill -SEGV " + std::to_string(old)).exit, 0);
        EXPECT_TRUE(box().has_restarted(unit, old)) << unit;
    }
    ASSERT_TRUE(box().serves());
    EXPECT_TRUE(all_is_delivered());

    const std::string read = "journalctl --sync; journalctl --all --no-pager -o export";
    const auto journal = box().in(read).out;
    EXPECT_NE(journal.find("_SYSTEMD_UNIT=clinicd.service"), std::string::npos);
    EXPECT_NE(journal.find("status=11/SEGV"), std::string::npos) << "systemd's own words are in it";
    EXPECT_EQ(worded(search.in(journal)), std::vector<std::string>{});
    // 1 is tar's word for a file that grew, or went, while it was read: the machine runs on beneath it.
    ASSERT_LE(box()
                  .in("cd /root; find / /run /tmp /var/tmp -xdev -type f -newer clinic-edge.deb "
                      "-not -path /root/step -not -path /root/all.tar -print0 | tar -c -f all.tar --null -T -")
                  .exit,
              1);
    EXPECT_EQ(worded(search.in_file(box().path("/root/all.tar"))), std::vector<std::string>{});
    EXPECT_NE(box().in("tar -t -f /root/all.tar; rm /root/all.tar").out.find("/records/records.db"), std::string::npos);

    box().in("systemd-cat -t clinicd echo " + name);
    EXPECT_NE(worded(search.in(box().in(read).out)), std::vector<std::string>{}) << "and one that is there is found";
}

// Whoever trusts the page after the setup is never asked again by a start anew.
TEST_F(Appliance, ItsPageHasTheAuthorityThatItsSetupLeft) {
    const std::string fingerprint = "clinicctl tls show --json | jq -r .authority_sha256";
    const auto trusted = box().ask(fingerprint);
    EXPECT_FALSE(trusted.empty());
    EXPECT_EQ(box().ask("clinicctl tls show --json | jq .names_all"), "true");
    EXPECT_NE(box().in("cat /run/issue.d/clinic-edge.issue").out.find("https://clinic-7/"), std::string::npos);
    ASSERT_EQ(box().in("systemctl stop clinic-edge.target; systemctl start clinic-edge.target").exit, 0);
    ASSERT_TRUE(box().serves());
    EXPECT_TRUE(eventually([] { return !box().is_active("clinic-edge-tls.service"); }, patience_s));
    EXPECT_EQ(box().ask(fingerprint), trusted);
    EXPECT_EQ(box().in("systemctl start clinic-edge-tls.service").exit, 0);
    EXPECT_EQ(box().ask(fingerprint), trusted);
}

TEST_F(Appliance, ComesBackWhenItIsKilled) {
    EXPECT_EQ(box().send(next_message()), "AA");
    const auto before = box().stored();
    for (const std::string unit : {"clinicd.service", "clinic-syncd.service"}) {
        const long old = box().main_process(unit);
        ASSERT_EQ(box().in("kill -KILL " + std::to_string(old)).exit, 0);
        EXPECT_TRUE(box().has_restarted(unit, old)) << unit;
    }
    ASSERT_TRUE(box().serves());
    EXPECT_EQ(box().stored(), before);
    EXPECT_EQ(box().send(next_message()), "AA");
}

// Many times in a row: no limit of starts or of triggers leaves it dead.
TEST_F(Appliance, IsNeverLeftDead) {
    for (int i = 0; i < 12; ++i) {
        const long old = box().main_process("clinicd.service");
        box().in("kill -KILL " + std::to_string(old));
        ASSERT_TRUE(box().has_restarted("clinicd.service", old)) << i;
    }
    ASSERT_TRUE(box().serves());
    for (const char* socket : {"https", "mllp", "control", "egress"})
        EXPECT_TRUE(box().is_active(std::string{"clinic-edge-"} + socket + ".socket")) << socket;
}

TEST_F(Appliance, CheckNamesAStoppedProgramAsTheRoot) {
    EXPECT_EQ(box()
                  .in("systemctl stop clinic-syncd; clinicctl check --json | jq -e "
                      "'[.checks[] | select(.root == \"service.syncd\")] | length > 20'; systemctl start clinic-syncd")
                  .out,
              "true\n");
}

// Its senders go on while it stops: what was acknowledged is stored, what is stored was acknowledged, and no answer
// ends in its middle.
TEST_F(Appliance, StopDrainsSenders) {
    const auto before = box().stored();
    Senders senders{4, next_message};
    EXPECT_TRUE(eventually([&] { return senders.acknowledged() > 40; }, patience_s));
    const auto stopped = box().in("systemctl stop clinic-edge.target");
    const auto spoken = senders.end();
    EXPECT_EQ(stopped.exit, 0) << stopped.out;
    for (const char* unit : {"clinicd.service", "clinic-syncd.service", "clinic-edge-mllp.socket"})
        EXPECT_EQ(box().ask("systemctl show --property=ActiveState --value " + std::string{unit}), "inactive") << unit;
    EXPECT_EQ(box().ask("systemctl show --property=Result --value clinicd"), "success");
    EXPECT_EQ(box().ask("systemctl show --property=Result --value clinic-syncd"), "success");
    ASSERT_EQ(box().in("systemctl start clinic-edge.target").exit, 0);
    ASSERT_TRUE(box().serves());
    std::int64_t acknowledged = 0;
    for (const auto& one : spoken) {
        acknowledged += one.is_acknowledged() ? 1 : 0;
        EXPECT_TRUE(one.answer.empty() || one.answer.ends_with("\x1c\r")) << one;
    }
    EXPECT_EQ(box().stored() - before, acknowledged) << stored_otherwise(spoken);
}

// Stopped while GHL has a request and has not answered it: the answer is waited for and settled, so that the next start
// has nothing to look up and nothing to send again.
TEST_F(Appliance, StopSettlesWhatGhlHasUnderWay) {
    ASSERT_TRUE(all_is_delivered()) << books();
    const long delivered = books().at("delivered"), created = box().asked_ghl("POST /contacts/ "),
               looked_up = box().asked_ghl("POST /contacts/search");
    box().steer_ghl({{"knob", "slow_ms"}, {"value", 3'000}});
    box().steer_ghl({{"fault", "slow"}, {"count", 2}}); // one of them may meet the lane's probe
    ASSERT_EQ(box().send(next_message()), "AA");
    ASSERT_TRUE(eventually([&] { return box().asked_ghl("POST /contacts/ ") == created + 1; }, patience_s));
    EXPECT_EQ(books().at("leased"), 1) << "GHL has it, and has not answered yet";
    ASSERT_EQ(box().in("systemctl stop clinic-edge.target").exit, 0);
    EXPECT_EQ(box().ask("systemctl show --property=Result --value clinic-syncd"), "success");
    ASSERT_EQ(box().in("systemctl start clinic-edge.target").exit, 0);
    ASSERT_TRUE(box().serves());
    EXPECT_EQ(books().at("delivered"), delivered + 1) << books();
    EXPECT_EQ(box().asked_ghl("POST /contacts/ "), created + 1);
    EXPECT_EQ(box().asked_ghl("POST /contacts/search"), looked_up);
}

// An answer that never comes is not waited for beyond the unit's patience; what became of it is looked up.
TEST_F(Appliance, WhatGhlNeverAnsweredIsLookedUpAfterAStop) {
    const long delivered = books().at("delivered"), created = box().asked_ghl("POST /contacts/ "),
               looked_up = box().asked_ghl("POST /contacts/search");
    const auto contacts = box().ghl().at("contacts").size();
    box().steer_ghl({{"fault", "timeout-after-effect"}, {"count", 1}});
    ASSERT_EQ(box().send(next_message()), "AA");
    ASSERT_TRUE(eventually([&] { return box().asked_ghl("POST /contacts/ ") == created + 1; }, patience_s));
    ASSERT_EQ(box().in("systemctl stop clinic-edge.target").exit, 0);
    EXPECT_EQ(box().ask("systemctl show --property=Result --value clinic-syncd"), "success");
    ASSERT_EQ(box().in("systemctl start clinic-edge.target").exit, 0);
    ASSERT_TRUE(box().serves());
    EXPECT_TRUE(all_is_delivered()) << books();
    EXPECT_EQ(books().at("delivered"), delivered + 1) << books();
    EXPECT_GT(box().asked_ghl("POST /contacts/search"), looked_up);
    EXPECT_EQ(box().asked_ghl("POST /contacts/ "), created + 1) << "made once";
    EXPECT_EQ(box().ghl().at("contacts").size(), contacts + 1);
}

TEST_F(Appliance, ServesAgainAfterAPowerCut) {
    std::atomic<int> acknowledged{0};
    const auto before = box().stored();
    {
        std::atomic<bool> cut{false};
        const std::jthread sender{[&] {
            while (!cut)
                if (box().send(next_message()) == "AA") ++acknowledged;
        }};
        EXPECT_TRUE(eventually([&] { return acknowledged > 20; }, patience_s));
        box().power_cut();
        cut = true;
    }
    const auto plugged_in = std::chrono::steady_clock::now();
    box().boot();
    ASSERT_TRUE(eventually([] { return box().send(next_message()) == "AA"; }, patience_s));
    RecordProperty("power_to_acknowledgement_ms",
                   static_cast<int>((std::chrono::steady_clock::now() - plugged_in) / std::chrono::milliseconds{1}));
    box().start_ghl();
    EXPECT_EQ(box().ask("systemctl is-system-running"), "running") << box().in("systemctl --failed").out;
    EXPECT_EQ(box().ask("journalctl -b --no-pager | grep 'ordering cycle'"), "");
    EXPECT_GE(box().stored() - before, acknowledged + 1) << "what was acknowledged is there";
}

// What a technician does with a certificate that somebody else signs. The box's own was there until then.
TEST_F(Appliance, TheClinicsOwnCertificateTakesThePlaceOfTheBoxsOwn) {
    ASSERT_EQ(box()
                  .in("cd /root; clinicctl tls csr --name clinic-7 >request.pem; openssl req -x509 -newkey ec -pkeyopt "
                      "ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=Others -keyout others.key -out others.pem; "
                      "openssl x509 -req -in request.pem -CA others.pem -CAkey others.key -copy_extensions copyall "
                      "-days 90 -out answer.pem; cat others.pem >>answer.pem")
                  .exit,
              0);
    const auto wrong = box().in("clinicctl tls install /root/others.pem");
    EXPECT_EQ(wrong.exit, 2);
    EXPECT_NE(wrong.out.find("another key"), std::string::npos) << wrong.out;
    const auto installed = box().in("clinicctl tls install /root/answer.pem");
    ASSERT_EQ(installed.exit, 0) << installed.out;
    EXPECT_TRUE(eventually(
        [] {
            return box()
                       .in("curl --silent --fail --max-time 10 --cacert /root/others.pem --resolve "
                           "clinic-7:443:127.0.0.1 https://clinic-7/api/health")
                       .exit == 0;
        },
        patience_s));
    EXPECT_EQ(box().ask("clinicctl tls show --json | jq -r .certificate"), "own");
    EXPECT_EQ(box().in("systemctl start clinic-edge-tls").exit, 0);
    EXPECT_EQ(box().ask("clinicctl tls show --json | jq -r .certificate"), "own") << "the timer leaves it alone";
}

// Another machine's key, or a TPM that was cleared: a named mode, with the page, and not a unit that cannot start.
TEST_F(Appliance, AKeyThatDoesNotOpenIsAModeAndNoDeath) {
    const std::string key = "/etc/clinic-edge/keys/clinic-edge.store";
    ASSERT_EQ(
        box()
            .in("mv " + key + " /root/kept; head -c 200 /dev/urandom | base64 >" + key + "; systemctl restart clinicd")
            .exit,
        0);
    EXPECT_EQ(box().status().value("mode", ""), "locked");
    EXPECT_EQ(box()
                  .in("curl --silent --fail --cacert /root/others.pem --resolve clinic-7:443:127.0.0.1 "
                      "https://clinic-7/")
                  .exit,
              0);
    EXPECT_NE(
        box().in("journalctl -b --no-pager -u clinic-edge-credentials").out.find("cannot be opened on this machine"),
        std::string::npos);
    ASSERT_EQ(box().in("mv /root/kept " + key + "; systemctl restart clinicd").exit, 0);
    EXPECT_TRUE(box().serves());
}

} // namespace
} // namespace clinic::e2e
