// `clinicctl erase` through a whole box: GHL is emptied of the person first, then the records go, and what is kept of
// them, ledger and audit, leads to nobody. What lay in the files before is looked for after it, byte by byte.
#include <sqlite3.h>

#include <algorithm>
#include <set>

#include "crypto/key_slot.h"
#include "tests/daemon/records/raw_database.h"
#include "tests/e2e/box.h"
#include "tests/support/canary.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr const char *number = "9047113825", *family = "Zwirnhubermoos", *given = "Kunigundelind";
constexpr std::size_t blob_bytes_min = 16; // a shorter one is in many rows by chance
constexpr int piece = 4'096;

// The files of a box's records at this moment, and a way into them with the box's own key.
class Opened {
public:
    explicit Opened(const Box& box) {
        const auto programs = box.pids("clinicd");
        for (const pid_t one : programs) kill(one, SIGSTOP);
        const auto copied = run("cp -r '" + (box.folder() / "records").string() + "' '" + records().string() + "'");
        for (const pid_t one : programs) kill(one, SIGCONT);
        EXPECT_EQ(copied.exit, 0) << copied.out;
        slot_ = std::make_unique<crypto::KeySlot>(
            *crypto::KeySlot::from_credential_file(box.folder() / "keys" / "store.key"));
    }
    // Every value of every row that is long enough to be known again, with the tables where it stands.
    std::map<std::string, std::set<std::string>> values() {
        records::RawDatabase database{records(), *slot_};
        std::map<std::string, std::set<std::string>> all;
        for (const auto& table : database.texts("SELECT name FROM sqlite_schema WHERE type = 'table'"))
            for (const auto& column : database.texts("SELECT name FROM pragma_table_info('" + table + "')"))
                for (auto& value : database.texts(
                         "SELECT hex(\"" + column + "\") FROM \"" + table + "\" WHERE typeof(\"" + column +
                         "\") IN ('blob', 'text') AND length(\"" + column + "\") >= " + std::to_string(blob_bytes_min)))
                    all[std::move(value)].insert(table);
        return all;
    }
    // All bytes of the database and of its WAL as they are under the cipher, free pages and old frames too.
    std::string under_the_cipher() {
        records::RawDatabase database{records(), *slot_};
        std::string bytes;
        for (const int file : {SQLITE_FCNTL_FILE_POINTER, SQLITE_FCNTL_JOURNAL_POINTER}) {
            sqlite3_file* raw = database.file(file);
            sqlite3_int64 size = 0;
            if (raw == nullptr || raw->pMethods == nullptr || raw->pMethods->xFileSize(raw, &size) != SQLITE_OK)
                continue;
            for (sqlite3_int64 at = 0; at < size; at += piece) {
                char page[piece] = {};
                if (raw->pMethods->xRead(raw, page, piece, at) == SQLITE_OK) bytes.append(page, sizeof page);
            }
        }
        return bytes;
    }

private:
    fs::path records() const { return folder_ / "records"; }
    fakes::TempFolder folder_;
    std::unique_ptr<crypto::KeySlot> slot_;
};

class Erase : public testing::Test {
protected:
    static void SetUpTestSuite() { box_ = std::make_unique<Box>(); }
    static void TearDownTestSuite() { box_.reset(); }
    static Box& box() { return *box_; }
    static bool settled() {
        const auto status = box().status();
        const auto crm = status.contains("egress") ? status["egress"]["crm"] : json::object();
        return crm.value("pending", 1) == 0 && crm.value("leased", 1) == 0;
    }
    static void take_in(const std::string& event, const std::string& who, const std::string& last,
                        const std::string& first) {
        EXPECT_NE(box().send(adt(event, "C" + std::to_string(++sent_), who, last, first)).find("MSA|AA|"),
                  std::string::npos);
    }
    static void book(const std::string& who, const std::string& last, const std::string& first) {
        const std::string one = std::to_string(++sent_);
        EXPECT_NE(box().send(siu("S12", "C" + one, who, last, first, "A" + one, 5 * 86'400, "Booked")).find("MSA|AA|"),
                  std::string::npos);
    }
    static Ran erase(const std::string& typed) {
        return box().ctl("erase --patient --reason 'asked for in writing' <<'END'\n" + typed + "\nEND");
    }
    static json contact(const std::string& id) {
        for (const auto& one : box().contacts())
            if (one.at("id") == id) return one;
        return nullptr;
    }
    static std::string pid_of(const json& contact) { return contact.value("firstName", std::string{}); }
    static std::vector<json> ledger() {
        std::vector<json> lines;
        std::istringstream each{box().ctl("ledger --json --limit 500").out};
        for (std::string line; std::getline(each, line);)
            if (const auto one = json::parse(line, nullptr, false); one.is_object() && one.contains("attempt"))
                lines.push_back(one);
        return lines;
    }

    static inline std::unique_ptr<Box> box_;
    static inline int sent_ = 0;
    const support::Search search_{{number, family, given}};
};

TEST_F(Erase, GhlIsEmptiedFirstAndThenNothingOfThePersonIsLeft) {
    take_in("A28", "41", "Brack", "Una");
    book("41", "Brack", "Una");
    ASSERT_TRUE(eventually([] { return settled() && box().contacts().size() == 1; }, 60));
    const auto others = Opened{box()}.values();
    const std::string other_contact = box().contacts().front().at("id");

    take_in("A28", number, family, given);
    take_in("A08", number, family, given);
    book(number, family, given);
    ASSERT_TRUE(eventually([] { return settled() && box().contacts().size() == 2; }, 60));
    json theirs;
    for (const auto& one : box().contacts())
        if (one.at("id") != other_contact) theirs = one;
    const std::string id = theirs.at("id"), pid = pid_of(theirs);
    ASSERT_TRUE(pid.starts_with("p_")) << theirs;
    ASSERT_FALSE(theirs.value("tags", json::array()).empty());
    const auto lines_before = ledger();

    // What is theirs alone, as it stands in rows.
    std::set<std::string> theirs_alone;
    for (const auto& [value, tables] : Opened{box()}.values())
        if (!others.contains(value)) theirs_alone.insert(value);
    EXPECT_GT(theirs_alone.size(), 20U);

    EXPECT_EQ(erase(std::string{number} + "\nno").exit, 2);
    EXPECT_FALSE(contact(id).value("tags", json::array()).empty()) << "the word was not typed";
    const auto erased = erase(std::string{number} + "\nerase");
    EXPECT_EQ(erased.exit, 0) << erased.out;
    EXPECT_NE(erased.out.find("GHL holds nothing of them"), std::string::npos) << erased.out;

    // Of GHL: the contact is there, an empty shell whom nothing leads to anybody.
    const auto left = contact(id);
    EXPECT_EQ(left.value("tags", json::array()), json::array({"ce-do-not-contact"})) << left;
    for (const auto& field : left.value("customFields", json::array()))
        EXPECT_TRUE((std::set<std::string>{pid, "", "none", "archived"}).contains(field.value("value", "?"))) << field;
    EXPECT_FALSE(contact(other_contact).value("tags", json::array()).empty()) << "the other's is as it was";

    // Of the box: nobody of that name or number; the books; the chain, with who asked and why.
    EXPECT_EQ(erase(std::string{number} + "\nerase").exit, 2) << "there is nobody any more";
    EXPECT_NE(box().ctl("ledger --pid " + pid).exit, 0);
    EXPECT_EQ(box().ctl("audit verify").exit, 0);
    const auto chain = box().ctl("audit list --limit 200").out;
    for (const char* entry :
         {"erase_look asked for in writing", "erase_begin asked for in writing", "erase asked for in writing"})
        EXPECT_NE(chain.find(entry), std::string::npos) << entry;
    const auto lines = ledger();
    EXPECT_GT(lines.size(), lines_before.size()) << "what left stays written, and the taking back besides";
    for (std::size_t i = 0; i < lines_before.size(); ++i)
        EXPECT_EQ(lines.at(i).at("digest"), lines_before.at(i).at("digest"));

    // Of the files: no value of a row that was theirs, but what docs/clinicctl.md says stays: in ledger and audit,
    // whose key is gone; the random id itself; and keyed marks of messages, as of all others. A setting is a time that
    // was kept.
    EXPECT_TRUE(eventually([] { return settled(); }, 60));
    Opened after{box()};
    std::map<std::string, int> kept;
    for (const auto& [value, tables] : after.values())
        if (theirs_alone.contains(value))
            for (const auto& table : tables) ++kept[table];
    for (const auto& [table, values] : kept)
        EXPECT_TRUE(table == "ledger" || table.starts_with("audit") || table == "seen_message" || table == "setting" ||
                    (table == "patient" && values == 1))
            << table << ": " << values;
    EXPECT_TRUE(search_.in(after.under_the_cipher()).empty());
}

// Not in the database, the WAL, the keystore, a log, a settings file or clinic-syncd's state; not after a start anew
// either.
TEST_F(Erase, NoFileOfTheBoxHasTheirNames) {
    for (const bool again : {false, true}) {
        if (again) {
            ASSERT_TRUE(box().kill_program("clinicd"));
            ASSERT_TRUE(eventually([] { return settled(); }, 60));
        }
        std::size_t files = 0;
        for (const auto& one : fs::recursive_directory_iterator{box().folder()}) {
            if (!fs::is_regular_file(one.symlink_status())) continue;
            ++files;
            for (const auto& hit : search_.in_file(one.path()))
                ADD_FAILURE() << one.path() << ": " << hit.canary << " as " << hit.form;
        }
        EXPECT_GT(files, 20U);
        EXPECT_EQ(erase(std::string{number} + "\nerase").exit, 2);
        EXPECT_EQ(box().contacts().size(), 2U) << "nobody was made anew";
    }
}

} // namespace
} // namespace clinic::e2e
