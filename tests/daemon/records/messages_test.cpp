#include "daemon/records/messages.h"

#include "tests/daemon/records/records_fixture.h"

namespace clinic::records {
namespace {

class Messages : public Records {
protected:
    void keep(PatientId patient, std::string_view feed, std::string_view raw) {
        EXPECT_TRUE(with([&](Transaction& txn, const Disclosure&) { return keep_message(txn, patient, feed, raw); }));
    }
    std::vector<KeptMessage> list(const MessageSearch& search = {}, int rows_max = 10) {
        return read([&](Snapshot& snapshot) { return kept_messages(snapshot, search, rows_max); }).value();
    }
    std::string open_text(std::int64_t id) {
        const auto text = with([&](Transaction& txn, const Disclosure& why) { return open_message(txn, why, id); });
        return text ? *text : text.error().what.c_str();
    }
};

TEST_F(Messages, AreListedNewestFirstByFeedAndTime) {
    const auto id = upsert(person("1")).id;
    keep(id, "mllp", "MSH|1");
    clock_.advance(std::chrono::minutes{1});
    keep(id, "mllp/pms", "MSH|22");
    keep(id, "mllp2", "MSH|333");
    const auto all = list();
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[1].feed, "mllp/pms");
    EXPECT_EQ(all[1].bytes, 6);
    EXPECT_EQ(all[1].patient, id);
    EXPECT_EQ(list({.feed = "mllp"}).size(), 2U) << "with its senders, and without a feed that only begins alike";
    EXPECT_EQ(list({.feed = "mllp/pms"}).size(), 1U);
    EXPECT_EQ(list({.since = clock_.now()}).size(), 2U);
    EXPECT_EQ(list({}, 1).front().feed, "mllp2");
    EXPECT_EQ(list({.before = all[1].id}, 1).front().id, all[2].id) << "the next page";
    EXPECT_TRUE(list({.before = all[2].id}).empty());
}

TEST_F(Messages, OpenWithTheirPersonsKeyAfterAMergeToo) {
    const auto survivor = upsert(person("1")).id, prior = upsert(person("2")).id;
    keep(prior, "mllp", "MSH|prior");
    EXPECT_TRUE(
        with([&](Transaction& txn, const Disclosure& why) { return merge_patients(txn, why, survivor, prior); }));
    ASSERT_EQ(list().size(), 1U);
    EXPECT_EQ(list()[0].patient, survivor);
    EXPECT_EQ(open_text(list()[0].id), "MSH|prior");
}

TEST_F(Messages, OfNobodyAreKeptWithinTheirBound) {
    EXPECT_TRUE(with([](Transaction& txn, const Disclosure&) -> Result<void> {
        for (int number = 0; number < unowned_messages_max + 5; ++number)
            CLINIC_TRY(keep_unowned_message(txn, "mllp", "MSH|" + std::to_string(number)));
        return {};
    }));
    const auto all = list({}, unowned_messages_max + 100);
    ASSERT_EQ(all.size(), static_cast<std::size_t>(unowned_messages_max));
    EXPECT_FALSE(all.front().patient);
    EXPECT_EQ(open_text(all.front().id), "MSH|" + std::to_string(unowned_messages_max + 4));
    EXPECT_EQ(open_text(all.back().id), "MSH|5");
}

TEST_F(Messages, OfAnErasedPersonAreGone) {
    const auto id = upsert(person("1")).id;
    keep(id, "mllp", "MSH|1");
    const auto message = list().at(0).id;
    EXPECT_TRUE(
        with([&](Transaction& txn, const Disclosure& why) { return erase_patient(txn, why, id, nothing_else); }));
    EXPECT_TRUE(list().empty());
    EXPECT_EQ(open_text(message), "no such message");
    EXPECT_EQ(read([&](Snapshot& snapshot) { return kept_message(snapshot, message); }).error().code, Errc::not_found);
}

} // namespace
} // namespace clinic::records
