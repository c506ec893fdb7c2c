// What clinicctl hears of the store's statements, on the real store.
#include "daemon/statement_commands.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/daemon/records/records_fixture.h"

namespace clinic::daemon {
namespace {

using nlohmann::json;
using records::Snapshot;

class StatementCommands : public records::Records {
protected:
    control::Answer ask(bool all) {
        auto answer =
            statement_commands(*store_).at("store-advise").run({.args = {{"all", all}}, .body = {}, .asker = 1'000});
        EXPECT_TRUE(answer);
        return answer ? std::move(*answer) : control::Answer{};
    }
    static json row(const json& rows, const char* statement) {
        const auto found =
            std::ranges::find_if(rows, [&](const json& one) { return one.at("statement") == statement; });
        return found == rows.end() ? json{} : *found;
    }
    void run(Literal sql) {
        ASSERT_TRUE(store_->read([&](Snapshot& snapshot) -> Result<void> {
            auto one = snapshot.prepare(sql);
            if (!one) return one.error();
            return one->run();
        }));
    }
};

TEST_F(StatementCommands, NameTheStatementThatWalksAndTheIndexItLacks) {
    for (const char* number : {"1", "2", "3", "4"}) upsert(records::person(number));
    const Literal walk = "SELECT id FROM patient AS p WHERE p.has_email = ? AND created_at > ? AND status IN (0, 1)";
    run(walk);
    const auto answer = ask(false);
    EXPECT_EQ(answer.exit, 1);
    const json one = row(*answer.data, walk.c_str());
    ASSERT_FALSE(one.is_null());
    EXPECT_EQ(one.at("runs"), 1);
    EXPECT_EQ(one.at("full_scan_steps"), 3);
    EXPECT_EQ(one.at("plan"), json::array({"SCAN p"}));
    EXPECT_EQ(one.at("index"), "CREATE INDEX patient_has_email_status_created_at ON patient (has_email, status, "
                               "created_at)");
    EXPECT_TRUE(row(*answer.data, "SELECT key_slot FROM patient WHERE id = ?").is_null()) << "it is served by an index";
}

// SQLite itself says that one is missing.
TEST_F(StatementCommands, NameTheIndexThatAJoinHadMadeForOneRun) {
    for (const char* number : {"1", "2"}) upsert(records::person(number));
    struct Join {
        Literal text;
        const char* index;
    };
    static constexpr Join joins[] = {
        {"SELECT count(*) FROM consent c CROSS JOIN patient AS p ON p.created_at = c.recorded_at",
         "CREATE INDEX patient_created_at ON patient (created_at)"},
        {"SELECT count(*) FROM consent CROSS JOIN patient ON has_email = consent.state AND created_at = "
         "consent.recorded_at",
         "CREATE INDEX patient_has_email_created_at ON patient (has_email, created_at)"},
        {"SELECT count(*) FROM consent c LEFT JOIN patient p ON p.created_at = c.recorded_at",
         "CREATE INDEX patient_created_at ON patient (created_at)"}};
    for (const auto& [join, index] : joins) run(join);
    const auto answer = ask(false);
    EXPECT_EQ(answer.exit, 1);
    for (const auto& [join, index] : joins) {
        const json one = row(*answer.data, join.c_str());
        ASSERT_FALSE(one.is_null()) << join.c_str();
        EXPECT_NE(one.at("plan").dump().find("AUTOMATIC"), std::string::npos) << one;
        EXPECT_EQ(one.at("index"), index) << one;
    }
}

TEST_F(StatementCommands, ListAllThatWereUsedWhereThatIsAsked) {
    upsert(records::person("1"));
    const auto rows = *ask(true).data;
    const json one = row(rows, "INSERT INTO identifier (token, patient) VALUES (?, ?) ON CONFLICT (token) DO NOTHING");
    ASSERT_FALSE(one.is_null());
    EXPECT_EQ(one.at("runs"), 1);
    EXPECT_TRUE(one.at("index").is_null());
    EXPECT_TRUE(std::ranges::is_sorted(rows, [](const json& a, const json& b) {
        return a.at("time_us").get<std::int64_t>() > b.at("time_us").get<std::int64_t>();
    }));
}

// What one index does not serve, or what has no term at all, is named without advice.
TEST_F(StatementCommands, GiveNoAdviceWhereNoneCanBeTold) {
    for (const char* number : {"1", "2"}) upsert(records::person(number));
    run("SELECT id FROM patient WHERE has_email = ? OR has_mobile = ?");
    run("SELECT count(*) FROM visit");
    const auto answer = ask(false);
    for (const char* text :
         {"SELECT id FROM patient WHERE has_email = ? OR has_mobile = ?", "SELECT count(*) FROM visit"}) {
        const json one = row(*answer.data, text);
        ASSERT_FALSE(one.is_null()) << text;
        EXPECT_TRUE(one.at("index").is_null()) << one;
    }
    EXPECT_EQ(answer.exit, 0) << *answer.data;
}

} // namespace
} // namespace clinic::daemon
