// The audit chain as clinicctl lists and exports it, on the real store.
#include "daemon/audit_commands.h"

#include <nlohmann/json.hpp>

#include "daemon/audit/trail.h"
#include "tests/daemon/records/raw_database.h"
#include "tests/daemon/records/records_fixture.h"

namespace clinic::daemon {
namespace {

using nlohmann::json;
using records::Transaction;

class AuditCommands : public records::Records {
protected:
    json data(const char* command, const json& args) {
        const auto answer = audit_commands(*store_).at(command).run({.args = args, .body = {}, .asker = 1'000});
        EXPECT_TRUE(answer);
        return answer ? *answer->data : json{};
    }
    void append(int count, std::size_t subjects = 0) {
        ASSERT_TRUE(store_->write([&](Transaction& txn) -> Result<void> {
            for (int i = 0; i < count; ++i)
                CLINIC_TRY(audit::Trail::append(
                    txn, {.actor = audit::Actor::feed,
                          .action = audit::Action::disclose,
                          .purpose = audit::Purpose::support,
                          .detail = "message_reveal",
                          .subjects = std::vector<records::PatientId>(subjects, records::PatientId::make(txn.now())),
                          .note = "7: the sender asks why"}));
            return {};
        }));
    }
};

TEST_F(AuditCommands, ListWhoDidWhatAndWhyNewestFirstByPages) {
    append(30, 2);
    const auto page = data("audit-list", json::object());
    ASSERT_EQ(page.size(), 20U);
    EXPECT_EQ(page.at(0).at("detail"), "audit_list") << "the look itself";
    EXPECT_EQ(page.at(0).at("actor_id"), 1'000);
    const json& reveal = page.at(1);
    EXPECT_EQ(reveal.at("actor"), "feed");
    EXPECT_EQ(reveal.at("action"), "disclose");
    EXPECT_EQ(reveal.at("purpose"), "support");
    EXPECT_EQ(reveal.at("detail"), "message_reveal 7: the sender asks why");
    EXPECT_EQ(reveal.at("subjects"), 2);
    const auto last = page.back().at("number").get<std::int64_t>();
    const auto rest = data("audit-list", {{"before", last}, {"limit", 200}});
    EXPECT_EQ(rest.at(0).at("number"), last - 1);
    EXPECT_EQ(rest.back().at("number"), 1);
    EXPECT_TRUE(data("audit-list", {{"before", 1}}).empty());
}

TEST_F(AuditCommands, ExportEachLinkOnceThoughTheChainGrows) {
    append(1'500);
    append(12, 1'000);
    std::int64_t next = 0, pages = 0;
    json args{{"after", 0}};
    do {
        const auto page = data("audit-export", args);
        EXPECT_EQ(page.at("store").get<std::string>().size(), 32U);
        for (const auto& link : page.at("links")) EXPECT_EQ(link.at("number"), ++next);
        args = {{"after", page.at("next")}, {"until", page.at("until")}};
        append(1);
        ++pages;
    } while (args.at("after").is_number());
    EXPECT_GT(pages, 3) << "many subjects are a page too";
    EXPECT_EQ(args.at("until"), next) << "to the end as it was at the beginning";
}

TEST_F(AuditCommands, WalkTheChainInShortSnapshotsToItsEnd) {
    append(2'300);
    const auto before = store_->numbers().reads;
    const auto verified = data("audit-verify", json::object());
    EXPECT_EQ(verified.at("entries"), 2'300);
    EXPECT_EQ(store_->numbers().reads - before, 3U) << "1,000 links at a time";
    const auto whole = read([](records::Snapshot& snapshot) { return audit::Trail::verify(snapshot); });
    EXPECT_EQ(verified.at("head"), whole->head);
}

// As `clinicctl` exits: 0, 1 for what is said to be lost, 2 for what is not.
TEST_F(AuditCommands, NameWhatIsLostAndListAndExportAroundIt) {
    append(30);
    store_.reset();
    {
        records::RawDatabase raw{options_.folder, records::slot_of('k')};
        raw.run("DROP TRIGGER audit_link_is_kept; DELETE FROM audit_link WHERE number > 10");
    }
    reopen();
    const auto verify = [&] {
        return audit_commands(*store_).at("audit-verify").run({.args = json::object(), .body = {}, .asker = 1'000});
    };
    const auto before = verify();
    EXPECT_EQ(before->exit, 2);
    EXPECT_EQ(before->data->at("gaps"), json::parse(R"([{"first":11,"last":30,"said_by":null,"said_at":null}])"));
    ASSERT_TRUE(store_->write([](Transaction& txn) { return audit::Trail::say_lost(txn, {11, 30}); }));
    const auto after = verify();
    EXPECT_EQ(after->exit, 1);
    const auto& gap = after->data->at("gaps").at(0);
    EXPECT_EQ(gap.at("said_by"), 31);
    EXPECT_EQ(gap.at("said_at"), base::rfc3339(clock_.now()));
    EXPECT_EQ(after->data->at("entries"), 10);

    append(2);
    const auto page = data("audit-list", {{"limit", 5}});
    ASSERT_EQ(page.size(), 5U);
    EXPECT_EQ(page.at(3).at("number"), 31);
    EXPECT_EQ(page.at(3).at("lost_from"), 11);
    EXPECT_EQ(page.at(3).at("lost_to"), 30);
    EXPECT_EQ(page.at(4).at("number"), 10) << "what is before the gap";
    EXPECT_EQ(data("audit-list", {{"before", 31}, {"limit", 1}}).at(0).at("number"), 10);

    const auto part = data("audit-export", {{"after", 8}, {"until", 31}});
    ASSERT_EQ(part.at("links").size(), 3U);
    EXPECT_EQ(part.at("links").back().at("kind"), 3);
    EXPECT_EQ(part.at("links").back().at("actor_id"), 30);
    EXPECT_TRUE(part.at("next").is_null());
}

TEST_F(AuditCommands, AWalkGoesOnThroughLinksThatComeMeanwhile) {
    append(5);
    audit::Walk walk;
    const auto step = [&](int links_max) {
        return read([&](records::Snapshot& snapshot) { return walk.go_on(snapshot, links_max); }).value();
    };
    EXPECT_FALSE(step(3));
    append(4);
    EXPECT_FALSE(step(3));
    EXPECT_FALSE(step(3)); // nine: whether that is all the next one sees
    EXPECT_TRUE(step(3));
    EXPECT_EQ(walk.verified().entries, 9);
}

} // namespace
} // namespace clinic::daemon
