#include "provisioning/commands.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "provisioning/answers.h"
#include "provisioning/box_commands.h"
#include "provisioning/bundle_command.h"
#include "provisioning/call.h"
#include "provisioning/check_command.h"
#include "provisioning/client.h"
#include "provisioning/erase_command.h"
#include "provisioning/ghl_commands.h"
#include "provisioning/ghl_prepare.h"
#include "provisioning/ghl_token.h"
#include "provisioning/keys_commands.h"
#include "provisioning/ledger_commands.h"
#include "provisioning/link_commands.h"
#include "provisioning/message_commands.h"
#include "provisioning/setup_command.h"
#include "provisioning/store_commands.h"
#include "provisioning/sync_commands.h"
#include "provisioning/template_command.h"
#include "provisioning/tls_commands.h"

namespace clinic::provisioning {
namespace {

using nlohmann::json;

int list_commands(const Call& call, const Client& client);

struct Row {
    std::vector<std::string> words;        // "" stands for any word
    std::vector<std::string_view> options; // as `Options` has them
    const char* usage;
    int (*run)(const Call&, const Client&);
};

const std::vector<std::string_view> feed_options{
    "--address=*", "--certificate=",  "--sender=", "--character-set=", "--ack=",
    "--preadmit=", "--status-word=*", "--expect=", "--hours="};
const std::vector<std::string_view> everywhere{"--control=", "--help"};

const std::array rows{
    Row{{"status"},
        {"--json", "--watch"},
        "status [--json] [--watch]             is the box well, is GHL up to date, what needs you",
        status},
    Row{{"import", "", ""}, {"--json"}, "import patients|appointments|consents FILE [--json]", import_file},
    Row{{"basis", "set", ""},
        {"--evidence=", "--expires="},
        "basis set off|deid|authorized|baa|consumer_consent [--evidence FILE] [--expires YYYY-MM-DD]",
        basis_set},
    Row{{"basis", "show"}, {"--json"}, "basis show [--json]", basis_show},
    Row{{"policy", "unlinked", ""},
        {},
        "policy unlinked park|shell            patients without a GHL contact: wait, or make one",
        [](const Call& call, const Client& client) {
            return plain(client, "policy-unlinked", {{"mode", call.words[2]}});
        }},
    Row{{"template", "show"},
        {"--json"},
        "template show [--json]                what the tags mean here, and how long things are kept",
        template_show},
    Row{{"release", "daily"},
        {},
        "release daily                         run the daily re-release now",
        [](const Call&, const Client& client) { return plain(client, "release-daily", json::object()); }},
    Row{{"containment"},
        {"--json"},
        "containment [--json]                  what keeps patient data in, part by part, as the kernel answers",
        containment},
    Row{{"check"},
        {"--json", "--settings=", "--sync-settings=", "--tell"},
        "check [--json] [--tell] [--settings FILE] [--sync-settings FILE]   what ails this box, why, and what to do "
        "next",
        check_box},
    Row{{"bundle"},
        {"--preview", "--reason=", "--out=", "--settings=", "--sync-settings="},
        "bundle --preview | --reason TEXT [--out FILE]   what helps support, without anybody's data; sealed to their "
        "key",
        make_bundle},
    Row{{"bundle", "open", ""},
        {"--key=", "--out="},
        "bundle open FILE --key FILE [--out FOLDER]   where it is read: its contents",
        open_bundle},
    Row{{"bundle", "keygen"},
        {"--out="},
        "bundle keygen [--out FILE]            where it is read: a key, and what clinics put into their settings",
        make_bundle_key},
    Row{{"setup"},
        {"--answers=", "--status", "--again=", "--json", "--etc=", "--state=", "--templates="},
        "setup [--answers FILE] [--again STEP]   the first hour of a box, in six steps; goes on where it stopped\n"
        "  clinicctl setup --status [--json]           how far it has come",
        set_up},
    Row{{"setup", "verify", ""},
        {"--key=", "--json"},
        "setup verify FILE [--key KEY]         is this hand-over as the box signed it",
        verify_handover},
    Row{{"audit", "verify"},
        {},
        "audit verify                          walk the whole chain",
        [](const Call&, const Client& client) { return plain(client, "audit-verify", json::object()); }},
    Row{{"audit", "list"},
        {"--before=", "--limit=", "--json"},
        "audit list [--before NUMBER] [--limit N] [--json]   who did what to patient data, and why; newest first",
        list_audit},
    Row{{"audit", "export"},
        {"--after="},
        "audit export [--after NUMBER]         the chain, a line of JSON per link, for somebody else to verify",
        export_audit},
    Row{{"ledger"},
        {"--day=", "--kind=", "--destination=", "--pid=", "--patient", "--after=", "--limit=", "--json"},
        "ledger [--day YYYY-MM-DD] [--kind KIND] [--destination crm] [--pid PSEUDONYM | --patient]\n"
        "      [--after ATTEMPT] [--limit N] [--json]   what left the building, field by field; oldest first",
        show_ledger},
    Row{{"erase"},
        {"--patient", "--pid=", "--reason=", "--leave-in-ghl"},
        "erase --patient|--pid PSEUDONYM --reason TEXT [--leave-in-ghl]   a person's records, for good",
        erase_person},
    Row{{"policy", "preview"},
        {"--days=", "--basis=", "--unlinked=", "--pipeline=", "--bookings=", "--json"},
        "policy preview [--days N] [--basis MODE] [--unlinked park|shell] [--pipeline on|off]\n"
        "      [--bookings off|states|times] [--json]   what would leave then, field by field; changes nothing",
        preview_policy},
    Row{{"quarantine", "list"},
        {"--before=", "--limit=", "--json"},
        "quarantine list [--before ID] [--limit N] [--json]   what could not be accepted, and why; newest first",
        list_quarantine},
    Row{{"quarantine", "show", ""},
        {"--reveal", "--reason=", "--json"},
        "quarantine show ID [--reveal --reason TEXT] [--json]",
        [](const Call& call, const Client& client) { return show_message(call, client, "quarantine-show"); }},
    Row{{"quarantine", "replay", ""}, {"--json"}, "quarantine replay ID", replay},
    Row{{"quarantine", "replay"},
        {"--all", "--feed=", "--json"},
        "quarantine replay --all [--feed NAME] give them to intake again",
        replay},
    Row{{"quarantine", "discard", ""},
        {"--reason=", "--json"},
        "quarantine discard ID --reason TEXT   looked at, and not wanted: it waits no more",
        discard},
    Row{{"quarantine", "discard"},
        {"--all", "--feed=", "--reason=", "--json"},
        "quarantine discard --all [--feed NAME] --reason TEXT",
        discard},
    Row{{"messages", "list"},
        {"--feed=", "--since=", "--before=", "--limit=", "--json"},
        "messages list [--feed NAME] [--since TIME] [--before ID] [--limit N] [--json]",
        list_messages},
    Row{{"messages", "show", ""},
        {"--reveal", "--reason=", "--json"},
        "messages show ID [--reveal --reason TEXT] [--json]",
        [](const Call& call, const Client& client) { return show_message(call, client, "messages-show"); }},
    Row{{"feed", "list"}, {"--json"}, "feed list [--json]                    the senders that have a name", list_feeds},
    Row{{"feed", "show", ""},
        {},
        "feed show NAME",
        [](const Call& call, const Client& client) {
            return plain(client, "feed-show", {{"name", call.words[2]}});
        }},
    Row{{"feed", "add", ""},
        feed_options,
        "feed add NAME [--address A]... [--certificate NAME] [--sender 'MSH-3|MSH-4'] [--character-set SET]\n"
        "      [--ack by-message|silent|original|enhanced] [--preadmit person|appointment] [--status-word "
        "WORD=STATUS]...\n"
        "      [--expect SPAN] [--hours 'mon-fri 08:00-18:00']",
        [](const Call& call, const Client& client) { return keep_feed(call, client, "feed-add"); }},
    Row{{"feed", "set", ""},
        feed_options,
        "feed set NAME ...                     the same options; what is not given stays",
        [](const Call& call, const Client& client) { return keep_feed(call, client, "feed-set"); }},
    Row{{"feed", "remove", ""},
        {},
        "feed remove NAME",
        [](const Call& call, const Client& client) {
            return plain(client, "feed-remove", {{"name", call.words[2]}});
        }},
    Row{{"store", "advise"},
        {"--all", "--json"},
        "store advise [--all] [--json]         which statements of the store walk, sort, or lack an index",
        store_advise},
    Row{{"clock", "show"},
        {"--json"},
        "clock show [--json]                   is the time trusted, and what keeps this machine's clock",
        clock_show},
    Row{{"clock", "confirm"},
        {},
        "clock confirm                         the box's date and time are right: I have looked",
        [](const Call&, const Client& client) { return plain(client, "clock-confirm", json::object()); }},
    Row{{"drain", ""},
        {"--reason="},
        "drain begin|end --reason TEXT         take in no more messages and imports; take them in again",
        [](const Call& call, const Client& client) {
            return plain(client, "drain", {{"what", call.words[1]}, {"reason", call.value("--reason")}});
        }},
    Row{{"reload"},
        {"--reason="},
        "reload --reason TEXT                  read the settings anew; says which of them wait for a restart",
        [](const Call& call, const Client& client) {
            return plain(client, "reload", {{"reason", call.value("--reason")}});
        }},
    Row{{"sync", "status"},
        {"--json"},
        "sync status [--json]                  what waits to leave, by age and kind; what GHL does; the next try",
        sync_status},
    Row{{"sync", "compare"},
        {"--dry-run", "--json"},
        "sync compare [--dry-run] [--json]     have all of GHL compared; how far that is, and what differs",
        sync_compare},
    Row{{"sync", "repair"},
        {"--kind=", "--dry-run", "--json"},
        "sync repair --kind NAME [--dry-run] [--json]   what differs so is put into the queue again",
        sync_repair},
    Row{{"sync", "dead", "list"},
        {"--class=", "--before=", "--limit=", "--json"},
        "sync dead list [--class NAME] [--before NUMBER] [--limit N] [--json]   what was set aside, why, and what to "
        "do",
        list_dead},
    Row{{"sync", "dead", "show", ""}, {"--json"}, "sync dead show NUMBER [--json]", show_dead},
    Row{{"sync", "dead", "retry", ""}, {"--json"}, "sync dead retry NUMBER [--json]       send it again", retry_dead},
    Row{{"sync", "dead", "retry"},
        {"--all", "--class=", "--json"},
        "sync dead retry --all|--class NAME [--json]",
        retry_dead},
    Row{{"sync", "dead", "discard", ""},
        {"--reason=", "--json"},
        "sync dead discard NUMBER --reason TEXT [--json]   give it up",
        discard_dead},
    Row{{"sync", "dead", "discard"},
        {"--all", "--class=", "--reason=", "--json"},
        "sync dead discard --all|--class NAME --reason TEXT [--json]",
        discard_dead},
    Row{{"commands"},
        {},
        "commands                              every command with its options, a line each: for scripts",
        list_commands},
    Row{{"link", "list"},
        {"--json"},
        "link list [--json]                    GHL's contacts that may be several people's, and what differs",
        list_links},
    Row{{"link", "show", ""},
        {"--reveal", "--reason=", "--json"},
        "link show CONTACT [--reveal --reason TEXT] [--json]   whom a contact is linked to, or may be",
        show_link},
    Row{{"link", "set", "", ""}, {"--reason="}, "link set CONTACT PATIENT --reason TEXT", change_link},
    Row{{"link", "unset", ""}, {"--reason="}, "link unset PATIENT --reason TEXT", change_link},
    Row{{"link", "split", "", ""},
        {"--reason="},
        "link split CONTACT PATIENT --reason TEXT   never that person's",
        change_link},
    Row{{"link", "merge", "", ""},
        {"--reason="},
        "link merge KEPT OTHER --reason TEXT   two contacts of one person",
        change_link},
    Row{{"link", "settle", "", ""}, {"--reason="}, "link settle NUMBER clinic|ghl --reason TEXT", change_link},
    Row{{"store", "inspect"},
        {"--records=", "--credential=", "--json"},
        "store inspect --records FOLDER [--credential FILE] [--json]   what a store's files say without a key, and\n"
        "                                        which slot that key opens; clinicd is down",
        inspect_store},
    Row{{"store", "check"},
        {"--records=", "--credential=", "--words", "--passphrase", "--json"},
        "store check --records FOLDER --credential FILE|--words|--passphrase [--json]   every page, frame and slot",
        check_store},
    Row{{"ghl", "show"},
        {"--ask=", "--json"},
        "ghl show [--json]                     how GHL lets the box in, and what it lacks",
        show_grant},
    Row{{"ghl", "authorize"},
        {"--ask="},
        "ghl authorize                         take the authorization that GHL's page has given; reads a line",
        authorize_grant},
    Row{{"ghl", "prepare"},
        {"--apply", "--ask=", "--etc=", "--json"},
        "ghl prepare [--apply] [--json]        what GHL's location has and lacks; --apply makes our fields there",
        prepare_ghl},
    Row{{"ghl", "token"},
        {"--next", "--etc="},
        "ghl token [--next]                    store GHL's private integration token, typed unseen or from a pipe;\n"
        "                                        --next: the one that will follow, while the other is good",
        store_token},
    Row{{"keys", "list"},
        {"--json"},
        "keys list [--json]                    what opens the records: this machine, words on paper, a passphrase",
        list_keys},
    Row{{"keys", "recovery", "begin"},
        {"--label=", "--reason=", "--json"},
        "keys recovery begin --reason TEXT [--label TEXT] [--json]   24 words for pen and paper, shown once",
        [](const Call& call, const Client& client) { return begin_recovery(call, client); }},
    Row{{"keys", "recovery", "confirm"},
        {},
        "keys recovery confirm                 the words typed back, or from a pipe: from then on they count",
        [](const Call& call, const Client& client) { return confirm_recovery(call, client); }},
    Row{{"keys", "passphrase"},
        {"--reason="},
        "keys passphrase --reason TEXT         one more way in, typed or from a pipe; takes the place of the last one",
        keep_passphrase},
    Row{{"keys", "verify"},
        {"--passphrase"},
        "keys verify [--passphrase]            do these words, or this passphrase, open the records",
        verify_key},
    Row{{"keys", "remove", ""},
        {"--reason=", "--word="},
        "keys remove NUMBER --reason TEXT [--word stays-locked]",
        remove_key},
    Row{{"keys", "recover"},
        {"--passphrase", "--new-key", "--reason=", "--etc="},
        "keys recover --reason TEXT [--passphrase] [--new-key]   the records are locked: open them with the words",
        recover_store},
    Row{{"tls", "show"},
        {"--etc=", "--json"},
        "tls show [--json]                     the page's addresses, its certificate, and how to trust it",
        show_tls},
    Row{{"tls", "csr"},
        {"--etc=", "--name=*"},
        "tls csr [--name NAME]...              make a key, and ask for a certificate of your own (PKCS #10)",
        request_certificate},
    Row{{"tls", "install", ""},
        {"--etc="},
        "tls install FILE                      the certificate that was asked for, with its chain",
        install_certificate},
    Row{{"tls", "keep"},
        {"--etc="},
        "tls keep                              see to it that the page has a certificate; a timer does",
        keep_certificate},
    Row{{"store", "salvage"},
        {"--records=", "--credential=", "--words", "--passphrase", "--to=", "--json"},
        "store salvage --records FOLDER --credential FILE|--words|--passphrase --to NEW [--json]\n"
        "                                        what can be read, into a new store",
        salvage_store},
    Row{{"store", "mend-keys"},
        {"--records=", "--credential=", "--words", "--passphrase", "--from=", "--json"},
        "store mend-keys --records FOLDER --credential FILE|--words|--passphrase --from KEYS [--json]\n"
        "                                        people's keys that were damaged, from a copy of keys.db",
        mend_store_keys},
    Row{{"store", "restore"},
        {"--records=", "--credential=", "--words", "--passphrase", "--from=", "--json"},
        "store restore --records FOLDER --credential FILE|--words|--passphrase --from SAVED [--json]\n"
        "                                        a saved store, in the place of the one that lies there",
        restore_store},
};

bool fits(const Row& row, const Call& call) {
    return row.words.size() == call.words.size() && std::equal(row.words.begin(), row.words.end(), call.words.begin(),
                                                               [](const std::string& wanted, const std::string& word) {
                                                                   return wanted.empty() || wanted == word;
                                                               });
}

// The word that the usage has in that place, which names what may stand there: "park|shell", "NAME".
std::string word_in_usage(const char* usage, std::size_t place) {
    std::istringstream words{usage};
    std::string word;
    for (std::size_t i = 0; i <= place && words >> word; ++i) continue;
    return word;
}

// "basis set off|deid|... --evidence= --expires=": what the completion of shells reads.
int list_commands(const Call&, const Client&) {
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.words.size(); ++i)
            line += (line.empty() ? "" : " ") + (row.words[i].empty() ? word_in_usage(row.usage, i) : row.words[i]);
        for (const auto option : row.options) line += " " + std::string{option};
        std::puts(line.c_str());
    }
    return 0;
}

constexpr const char* default_control = "/run/clinic-edge/control.sock";

// Of the commands that begin with these words; of all, when none does.
void print_usage(std::FILE* out, const std::vector<std::string>& words) {
    const auto begins = [&](const Row& row) {
        return words.size() <= row.words.size() &&
               std::equal(words.begin(), words.end(), row.words.begin(),
                          [](const auto& word, const auto& wanted) { return wanted.empty() || wanted == word; });
    };
    const bool some = std::any_of(rows.begin(), rows.end(), begins);
    std::fputs("usage: clinicctl [--control PATH] COMMAND\n", out);
    for (const auto& row : rows)
        if (!some || begins(row)) std::fprintf(out, "  clinicctl %s\n", row.usage);
}

std::vector<std::string_view> all_options() {
    auto all = everywhere;
    for (const auto& row : rows) all.insert(all.end(), row.options.begin(), row.options.end());
    return all;
}

int refuse(const Objection& wrong) {
    std::fprintf(stderr, "clinicctl: %s; see clinicctl --help\n", wrong.c_str());
    return failed;
}

} // namespace

int run(std::span<const std::string> arguments) {
    Call call;
    if (const auto wrong = parse(arguments, all_options(), call); !wrong.empty()) return refuse(wrong);
    if (call.has("--help")) {
        print_usage(stdout, call.words);
        return 0;
    }
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const Row& one) { return fits(one, call); });
    if (row == rows.end()) {
        print_usage(stderr, call.words);
        return failed;
    }
    auto allowed = row->options;
    allowed.insert(allowed.end(), everywhere.begin(), everywhere.end());
    if (const auto wrong = check(call, allowed); !wrong.empty()) return refuse(wrong);
    return row->run(call, Client{call.has("--control") ? call.value("--control") : default_control});
}

} // namespace clinic::provisioning
