#include "tests/e2e/books/proof.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "crypto/base/files.h"
#include "crypto/seal.h"
#include "daemon/audit/trail.h"
#include "daemon/outbox/outbox.h"
#include "daemon/records/messages.h"
#include "daemon/records/patient_fields.h"
#include "daemon/records/patients.h"
#include "daemon/records/seen.h"
#include "tests/e2e/store_copy.h"

namespace clinic::e2e {
namespace {

using nlohmann::json;

constexpr int resent_at_the_end = 40;
constexpr const char* sender_in_store = "PMS|CLINIC"; // MSH-3 and MSH-4 of these messages

std::string field(const std::string& message, int number) {
    std::size_t from = 0;
    for (int i = 1; i < number; ++i) from = message.find('|', from) + 1;
    return message.substr(from, message.find('|', from) - from);
}

// PID-3.1 of these messages.
std::string number_in(const std::string& message) {
    const std::string pid = "\rPID|1||";
    const std::size_t from = message.find(pid) + pid.size();
    return message.substr(from, message.find('^', from) - from);
}

int yes_of(const Senders& senders) {
    int all = 0;
    for (const auto& one : senders) all += one->yes();
    return all;
}

int made_by(const Senders& senders) {
    int all = 0;
    for (const auto& one : senders) all += one->made();
    return all;
}

std::string digest_of(const json& request) {
    const std::string head =
        request.at("method").get<std::string>() + " " + request.at("path").get<std::string>() + "\n";
    return crypto::hex(
        crypto::digest(base::as_bytes(head), base::as_bytes(request.at("body").get_ref<const std::string&>())));
}

Shown shown_by(const json& contact) {
    const json fields = contact.value("fields", json::object());
    Shown out;
    out.stage = fields.value("ce_stage", "");
    out.last = fields.value("ce_last", "");
    out.next = fields.value("ce_next", "");
    out.appt_status = fields.value("ce_appt_status", "");
    out.appt_when = fields.value("ce_appt_when", "");
    out.tags = contact.value("tags", std::vector<std::string>{});
    std::sort(out.tags.begin(), out.tags.end());
    return out;
}

std::string told(const Shown& shown) {
    std::string out = shown.stage + " last " + shown.last + " next " + shown.next + " appointment " +
                      shown.appt_status + " " + shown.appt_when + " tags";
    for (const auto& tag : shown.tags) out += " " + tag;
    return out;
}

// Says of which person each contact is, by the pseudonyms of the store, and opens what is sealed in it.
class Reader {
public:
    Reader(records::Session& session, const records::Disclosure& why, const Senders& senders)
        : session_{session}, why_{why} {
        for (const auto& sender : senders)
            for (const auto& message : sender->acknowledged()) acknowledged_.insert(number_in(message));
        for (const auto& sender : senders)
            for (const Person& person : sender->people()) learn(person);
        open_messages();
    }

    // The oldest first.
    void expect_kept(const std::vector<std::string>& messages) {
        for (const auto& message : messages) expect_remembered(message);
        std::map<std::string, int> newer; // by person
        for (auto message = messages.rbegin(); message != messages.rend(); ++message) {
            const auto who = numbers_.find(number_in(*message));
            if (who == numbers_.end() || ++newer[who->second] > records::messages_kept_max) continue;
            EXPECT_TRUE(kept_.contains(*message)) << "acknowledged, and not kept as it came: " << field(*message, 10);
        }
    }

    void expect_records() {
        EXPECT_FALSE(living_.empty());
        for (const auto& [id, person] : living_) expect_record(person);
    }

    void look_at(const json& contact) {
        const std::string pid = contact.value("fields", json::object()).value("ce_pid", "");
        EXPECT_TRUE(markers_.insert(pid).second) << "two contacts with one marker";
        const auto patient = outbox::Links::patient_by_pid(session_, pid);
        ASSERT_TRUE(patient && patient->has_value()) << "a contact of nobody";
        const auto person = living_.find((*patient)->uuid.text());
        if (person != living_.end()) {
            EXPECT_EQ(told(shown_by(contact)), told(person->second.shown())) << person->second.number;
            found_.insert(person->first);
            return;
        }
        const auto facts = records::patient_facts(session_, **patient);
        ASSERT_TRUE(facts && facts->merged_into) << "neither a living person nor a merged one";
        EXPECT_EQ(shown_by(contact).stage, "archived");
        EXPECT_EQ(shown_by(contact).next, "none");
    }

    void expect_everybody_found() const {
        for (const auto& [id, person] : living_) EXPECT_TRUE(found_.contains(id)) << person.number << " has no contact";
    }

private:
    void learn(const Person& person) {
        const auto ids = records::find_by_index(session_, "number_any", person.number);
        ASSERT_TRUE(ids);
        // Without a word of it acknowledged its first message was never made.
        ASSERT_EQ(ids->size(), acknowledged_.contains(person.number) ? 1U : 0U) << person.number;
        if (ids->empty()) return;
        const auto facts = records::patient_facts(session_, ids->front());
        ASSERT_TRUE(facts);
        numbers_.emplace(person.number, facts->merged_into.value_or(facts->id).uuid.text());
        if (!person.merged) living_.emplace(ids->front().uuid.text(), person);
    }

    void open_messages() {
        const auto all = records::kept_messages(session_, {.feed = "mllp"}, records::messages_looked_at_max);
        ASSERT_TRUE(all);
        for (const auto& one : *all) {
            auto raw = records::open_message(session_, why_, one.id);
            ASSERT_TRUE(raw) << raw.error().what.c_str();
            kept_.insert(std::move(*raw));
        }
    }

    void expect_remembered(const std::string& message) {
        const auto seen = records::find_seen(session_, {sender_in_store, field(message, 10), field(message, 7)});
        ASSERT_TRUE(seen && seen->has_value()) << "acknowledged and not in the store: " << field(message, 10);
        EXPECT_EQ((*seen)->body, crypto::digest(base::as_bytes(message)));
    }

    void expect_record(const Person& person) {
        const auto ids = records::find_by_index(session_, "number_any", person.number);
        ASSERT_TRUE(ids && ids->size() == 1);
        const auto id = ids->front();
        auto find = session_.prepare("SELECT row, sealed FROM patient WHERE id = ?");
        ASSERT_TRUE(find);
        const auto row = find->bind(id).step();
        ASSERT_TRUE(row && *row);
        const auto plain = session_.open_for(id, "patient.sealed", find->integer(0), find->blob(1));
        ASSERT_TRUE(plain) << plain.error().what.c_str();
        const auto fields = records::decode_patient(*plain);
        ASSERT_TRUE(fields);
        EXPECT_EQ(fields->family, person.family) << person.number;
        EXPECT_EQ(fields->given, person.given) << person.number;
        EXPECT_TRUE(std::any_of(fields->identifiers.begin(), fields->identifiers.end(), [&](const auto& one) {
            return one.value == person.number;
        })) << person.number;
        const auto facts = records::patient_facts(session_, id);
        ASSERT_TRUE(facts);
        const auto open = std::count_if(facts->appointments.begin(), facts->appointments.end(),
                                        [](const auto& one) { return records::is_open(one.status); });
        EXPECT_EQ(static_cast<std::size_t>(open), person.open.size()) << person.number;
        EXPECT_EQ(facts->status == records::PatientStatus::active, person.active) << person.number;
    }

    records::Session& session_;
    const records::Disclosure& why_;
    std::set<std::string> acknowledged_;         // numbers of people
    std::set<std::string> kept_;                 // whole messages
    std::map<std::string, std::string> numbers_; // to the person, or its survivor
    std::map<std::string, Person> living_;
    std::set<std::string> found_, markers_;
};

} // namespace

std::vector<json> ledger(const Box& box) {
    std::vector<json> all;
    for (std::int64_t after = 0;;) {
        std::istringstream lines{box.ctl("ledger --json --limit 500 --after " + std::to_string(after)).out};
        const auto before = all.size();
        for (std::string line; std::getline(lines, line);) all.push_back(json::parse(line));
        if (all.size() == before) return all;
        after = all.back().at("attempt").get<std::int64_t>();
    }
}

bool books_balance(const json& status) {
    const auto& crm = status.at("egress").at("crm");
    std::int64_t sum = 0;
    for (const char* key : {"pending", "leased", "delivered", "superseded", "withdrawn", "parked", "dead", "discarded"})
        sum += crm.at(key).get<std::int64_t>();
    bool all = crm.at("released") == sum;
    for (const auto& [name, feed] : status.at("intake").items())
        all = all && feed.at("received") ==
                         feed.at("stored").get<std::int64_t>() + feed.at("quarantined").get<std::int64_t>() +
                             feed.at("refused").get<std::int64_t>() + feed.at("duplicate").get<std::int64_t>();
    return all;
}

bool is_up(const Box& box) {
    const auto status = box.status();
    const auto mode = status.is_object() ? status.value("mode", std::string{}) : std::string{};
    return status.contains("egress") && (mode == "running" || mode == "clock-untrusted");
}

bool is_quiet(const Box& box) {
    const auto status = box.status();
    if (!status.is_object() || !status.contains("egress")) return false;
    const auto& crm = status["egress"]["crm"];
    return crm["pending"] == 0 && crm["leased"] == 0 && crm["parked"] == 0;
}

void expect_rows(const Box& box, const Senders& senders) {
    const int yes = yes_of(senders);
    StoreCopy copy{box};
    const int made = made_by(senders);
    if (!copy.opened()) return;
    const Tally tally = copy.tally();
    for (const auto& fault : tally.faults()) ADD_FAILURE() << fault;
    EXPECT_GE(tally.taken, yes) << "acknowledged, and not stored";
    EXPECT_LE(tally.taken, made) << "stored, and never sent";
}

void expect_all_kept(const Box& box, const Senders& senders) {
    expect_rows(box, senders);
    expect_status_is_rows(box);
    std::vector<std::string> all;
    for (const auto& sender : senders)
        all.insert(all.end(), sender->acknowledged().begin(), sender->acknowledged().end());
    const auto before = box.status();
    const auto& mllp = before.at("intake").at("mllp");
    EXPECT_EQ(mllp.at("stored").get<std::size_t>(), all.size()) << "each once, however often it was sent";
    EXPECT_TRUE(books_balance(before));
    for (int i = 0; i < resent_at_the_end; ++i) {
        const auto& message = all[static_cast<std::size_t>(i) * (all.size() - 1) / (resent_at_the_end - 1)];
        EXPECT_NE(box.send(message).find("MSA|AA|"), std::string::npos);
    }
    const auto counted = [&] {
        return box.status().at("intake").at("mllp").at("duplicate").get<int>() ==
               mllp.at("duplicate").get<int>() + resent_at_the_end;
    };
    EXPECT_TRUE(eventually(counted)) << "a re-send is recognised";
    const auto after = box.status();
    EXPECT_EQ(after.at("intake").at("mllp").at("stored"), mllp.at("stored"));
    EXPECT_EQ(after.at("egress").at("crm").at("released"), before.at("egress").at("crm").at("released"));
}

void expect_ledger_matches(const Box& box, const std::vector<json>& all) {
    std::map<std::string, int> received, answered, unknown;
    for (const auto& request : all) ++received[digest_of(request)];
    for (const auto& line : ledger(box)) {
        const auto result = line.at("result").get<std::string>();
        EXPECT_NE(result, "open") << "nothing is on its way";
        if (result == "answered") ++answered[line.at("digest")];
        if (result == "unknown") ++unknown[line.at("digest")];
    }
    for (const auto& [digest, times] : answered)
        EXPECT_GE(received[digest], times) << "answered, and never received: " << digest;
    for (const auto& [digest, times] : received)
        EXPECT_LE(times, answered[digest] + unknown[digest]) << "received, and not in the ledger: " << digest;
}

void expect_effects(const std::filesystem::path& records, const std::filesystem::path& key,
                    const std::vector<json>& contacts, const Senders& senders) {
    const fakes::TempFolder folder;
    // A copy that is ours: the store opens no file of another user.
    ASSERT_EQ(run("cp -r '" + records.string() + "' '" + (folder / "records").string() + "'").exit, 0);
    const auto slot = crypto::KeySlot::from_credential_file(key);
    ASSERT_TRUE(slot);
    const base::SystemClock clock;
    const auto store = records::Store::open({.folder = folder / "records"}, *slot, clock);
    ASSERT_TRUE(store) << store.error().what.c_str();
    const auto read = (*store)->write([&](records::Transaction& session) -> Result<void> {
        const auto why = audit::Trail::append(
            session, {audit::Actor::operator_, 0, audit::Action::disclose, audit::Purpose::support, "a test's copy"});
        CLINIC_TRY(why);
        Reader reader{session, *why, senders};
        for (const auto& sender : senders) reader.expect_kept(sender->acknowledged());
        reader.expect_records();
        for (const auto& contact : contacts) reader.look_at(contact);
        reader.expect_everybody_found();
        return {};
    });
    EXPECT_TRUE(read);
}

} // namespace clinic::e2e
