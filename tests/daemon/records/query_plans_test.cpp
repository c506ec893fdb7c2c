// Every statement of the product against the real schema: no walk of a table that grows, no sort of its rows. SQLite
// plans without statistics here as it does on a box, so an empty store shows the plan of a full one.
#include <gtest/gtest-spi.h>

#include <algorithm>
#include <map>

#include "tests/daemon/records/raw_database.h"
#include "tests/daemon/records/records_fixture.h"
#include "tests/statements/statements.h"

namespace clinic::records {
namespace {

// A line of a plan that a statement may have all the same. One that is not needed any more fails the test.
struct Allowed {
    const char* begins; // the statement
    const char* line;   // of its plan
    const char* why;
};

constexpr const char* of_one_person = "sorts the rows of one person";
constexpr Allowed allowed[] = {
    {"SELECT name FROM sqlite_schema WHERE type = 'table'", "SCAN sqlite_schema",
     "a row a table or index, once a slice"},
    {"SELECT name FROM sqlite_schema WHERE type = 'table'", "USE TEMP B-TREE FOR ORDER BY", "a row a table or index"},
    {"SELECT 1 FROM sqlite_schema", "SCAN sqlite_schema", "a row a table or index, when somebody asks for advice"},
    {"SELECT feed, received", "SCAN feed_counter", "a row a feed, at most 64 and two"},
    {"UPDATE feed_counter SET last_at", "SCAN feed_counter", "the same, at each look of the housekeeping"},
    {"SELECT (SELECT max(number) FROM audit_link)", "SCAN audit_link", "the newest row alone"},
    {"SELECT (SELECT max(number) FROM audit_link)", "SCAN sqlite_sequence", "a row a table"},
    {"SELECT EXISTS (SELECT 1 FROM patient)", "SCAN patient USING COVERING INDEX sqlite_autoindex_patient_2",
     "the first row alone, at the opening"},
    {"SELECT key_slot FROM patient WHERE status = 3", "SCAN patient USING INDEX patient_erased",
     "the index holds the erased ones alone; at the opening"},
    {"UPDATE ledger SET unsure_since = ? WHERE unsettled = 1", "SCAN ledger USING INDEX ledger_unsettled",
     "the index holds the unsettled creates alone; at the start"},
    {"UPDATE beside SET unsure_since = ? WHERE unsettled = 1", "SCAN beside USING INDEX beside_unsettled",
     "the same, of opportunities and bookings"},
    {"DELETE FROM ledger WHERE attempt IN", "SCAN ledger",
     "once a day, from the oldest line to the first that stays: what it passes it is there to delete"},
    {"DELETE FROM event WHERE number <=", "SCAN event", "events_stored_max at most, when an event is raised"},
    {"SELECT count(*) FROM quarantine", "SCAN quarantine USING COVERING INDEX quarantine_age",
     "quarantine_items_max at most, when an item is added"},
    {"SELECT count(*) FROM quarantine_waits", "SCAN quarantine USING INDEX quarantine_waiting",
     "quarantine_items_max at most; the index holds those that wait alone"},
    {"DELETE FROM quarantine WHERE id = (SELECT", "SCAN quarantine",
     "when it is full: from the oldest item to the first that is settled"},
    {"DELETE FROM quarantine WHERE id = (SELECT", "SCAN quarantine USING INDEX quarantine_waiting",
     "the same: which of them wait"},
    {"SELECT id, code, due_at FROM outbox INDEXED BY outbox_dead", "SCAN outbox USING COVERING INDEX outbox_dead",
     "dead_letters_max at most, when an operator settles many"},
    {"SELECT code, count(*), min(due_at), max(due_at) FROM outbox", "SCAN outbox USING COVERING INDEX outbox_dead",
     "dead_letters_max at most, while there is one"},
    {"SELECT (SELECT count(*) FROM crm_conflict", "SCAN crm_conflict USING INDEX crm_conflict_open",
     "the index holds those that wait for a person alone"},
    {"SELECT (SELECT count(*) FROM crm_conflict", "SCAN crm_object USING INDEX crm_object_choice",
     "the same: of contacts"},
    {"SELECT count(*) FROM crm_conflict INDEXED", "SCAN crm_conflict USING INDEX crm_conflict_open",
     "the same, when somebody asks for the list"},
    {"SELECT count(*), coalesce(sum(differs_since", "SCAN crm_object USING COVERING INDEX crm_object_differs",
     "the index holds those that differ from GHL alone"},
    {"SELECT differs FROM crm_object", "SCAN crm_object USING COVERING INDEX crm_object_differs",
     "the same, when somebody asks of which kinds they are"},
    {"UPDATE crm_object INDEXED BY crm_object_differs", "SCAN crm_object USING INDEX crm_object_differs",
     "the same, when a full comparison ends"},
    {"SELECT number, nightly, asked_at", "SCAN crm_walk USING INDEX crm_walk_open", "one at the most is under way"},
    {"SELECT row, id, content, updated_ms, read_ms, deleted, matching, probed_ms, kind FROM crm_object INDEXED",
     "SCAN crm_object USING INDEX crm_object_choice", "as many as its LIMIT says"},
    {"SELECT id, status, start_at", "USE TEMP B-TREE FOR ORDER BY", of_one_person},
    {"SELECT scope, state, expires_at", "USE TEMP B-TREE FOR ORDER BY", of_one_person},
    {"SELECT max(at), count(DISTINCT", "USE TEMP B-TREE FOR count(DISTINCT)", of_one_person},
    {"SELECT id, delivered, tags_known", "USE TEMP B-TREE FOR ORDER BY", of_one_person},
    {"INSERT INTO consent (patient", "USE TEMP B-TREE FOR RIGHT PART OF ORDER BY", of_one_person},
    {"UPDATE consent AS c SET ended = 1", "USE TEMP B-TREE FOR RIGHT PART OF ORDER BY", of_one_person},
    {"SELECT DISTINCT c.patient FROM consent c", "USE TEMP B-TREE FOR RIGHT PART OF ORDER BY", of_one_person},
    {"SELECT DISTINCT c.patient FROM consent c", "USE TEMP B-TREE FOR DISTINCT", "as many people as its LIMIT says"},
};

bool is_fault(std::string_view line) {
    if (line.find("AUTOMATIC") != std::string_view::npos || line.starts_with("USE TEMP B-TREE")) return true;
    return line.starts_with("SCAN ") && line != "SCAN CONSTANT ROW" && !line.starts_with("SCAN (subquery");
}

class QueryPlans : public Records {
protected:
    void SetUp() override {
        Records::SetUp();
        store_.reset();
        raw_ = std::make_unique<RawDatabase>(options_.folder, slot_of('k'));
        raw_->show_triggers();
    }
    std::vector<std::string> plan(const std::string& statement) {
        return raw_->texts(("EXPLAIN QUERY PLAN " + statement).c_str(), 3);
    }
    std::vector<std::string> faults(const std::string& statement) {
        auto lines = plan(statement);
        std::erase_if(lines, [](const std::string& line) { return !is_fault(line); });
        return lines;
    }
    std::unique_ptr<RawDatabase> raw_;
};

TEST_F(QueryPlans, NoStatementWalksOrSortsWhatGrows) {
    const auto all = statements::in_sources("daemon");
    ASSERT_GT(all.size(), 150U); // the reading found them
    std::map<const Allowed*, int> used;
    for (const auto& one : all) {
        if (one.file.starts_with("daemon/records/salvage/")) continue; // runs with the box closed, over everything
        for (const auto& fault : faults(one.text)) {
            const auto* excuse = std::ranges::find_if(allowed, [&](const Allowed& entry) {
                return one.text.starts_with(entry.begins) && fault == entry.line;
            });
            if (excuse == std::end(allowed))
                ADD_FAILURE() << one.file << ": " << one.text << "\n  " << fault;
            else
                ++used[excuse];
        }
    }
    for (const auto& entry : allowed) EXPECT_TRUE(used.contains(&entry)) << entry.begins << ": " << entry.why;
}

TEST_F(QueryPlans, SeeAWalkASortAndAnIndexMadeForOneRun) {
    EXPECT_EQ(faults("SELECT 1 FROM patient WHERE has_email = ?"), std::vector<std::string>{"SCAN patient"});
    EXPECT_EQ(faults("SELECT id FROM outbox WHERE destination = ? AND state = ? ORDER BY queued_at"),
              std::vector<std::string>{"USE TEMP B-TREE FOR ORDER BY"});
    EXPECT_FALSE(faults("SELECT 1 FROM (SELECT patient FROM said) s JOIN (SELECT DISTINCT patient FROM visit) v"
                        " ON v.patient = s.patient")
                     .empty());
    EXPECT_TRUE(faults("SELECT id FROM outbox WHERE id = ?").empty());
}

// One leaf of the tokens, and what stays in memory: a page of `patient` for each person found grows with the clinic.
TEST_F(QueryPlans, ALookUpByIndexReadsNoPageOfPatient) {
    int seen = 0;
    for (const auto& one : statements::in_sources("daemon/records")) {
        if (!one.text.starts_with("SELECT coalesce((SELECT merged_into FROM patient")) continue;
        ++seen;
        for (const auto& line : plan(one.text)) {
            const bool is_of_patient = line.find(" patient ") != std::string::npos;
            EXPECT_TRUE(!is_of_patient || line.find("COVERING INDEX patient_aside") != std::string::npos) << line;
        }
    }
    EXPECT_EQ(seen, 4);
}

// As a trigger of version 7 had it: each link of the audit chain walked the chain.
TEST_F(QueryPlans, SeeAWalkInATrigger) {
    raw_->run("CREATE TRIGGER walks BEFORE INSERT ON audit_link WHEN NOT EXISTS"
              " (SELECT 1 FROM (SELECT coalesce(max(number), 0) AS newest FROM audit_link) WHERE new.number > newest)"
              " BEGIN SELECT raise(ABORT, ''); END");
    EXPECT_EQ(faults("INSERT INTO audit_link DEFAULT VALUES"), std::vector<std::string>{"SCAN audit_link"});
    raw_->run("DROP TRIGGER walks");
    EXPECT_TRUE(faults("INSERT INTO audit_link DEFAULT VALUES").empty());
}

TEST(StatementsOfTheSources, AreReadAsTheCompilerReadsThem) {
    const auto literals = statements::literals_of(R"cpp(
        prepare("SELECT 1" // "SELECT 2"
                " FROM t");   /* "SELECT 3" */
        const char c = '"', d = '\'';
        call(1'000, R"sql(UPDATE t SET a = "b")sql", "DELETE ");
    )cpp");
    EXPECT_EQ(literals, (std::vector<std::string>{"SELECT 1 FROM t", "UPDATE t SET a = \"b\"", "DELETE "}));
    EXPECT_TRUE(statements::is_statement("SELECT 1 FROM t"));
    EXPECT_FALSE(statements::is_statement("DELETE "));
    EXPECT_FALSE(statements::is_statement("UPDATE"));
    EXPECT_FALSE(statements::is_statement("SELECTED FROM"));
}

class KnownStatements : public Records {};

TEST_F(KnownStatements, AnUnknownOneFailsTheTestThatPreparedIt) {
    ASSERT_TRUE(store_->read([](Snapshot& snapshot) -> Result<void> {
        auto one = snapshot.prepare("SELECT count(*) FROM setting");
        if (!one) return one.error();
        return one->run();
    }));
    statements::expect_known(*store_);
    ASSERT_TRUE(store_->read([](Snapshot& snapshot) -> Result<void> {
        auto one = snapshot.prepare("select 1");
        if (!one) return one.error();
        return one->run();
    }));
    const Store& store = *store_;
    EXPECT_NONFATAL_FAILURE(statements::expect_known(store), "select 1");
    reopen(); // the fixture looks too
}

} // namespace
} // namespace clinic::records
