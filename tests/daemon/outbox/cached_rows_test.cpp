// Rows from memory against the tables: whatever is written, in whatever order, undone or not, everybody who looks is
// told what stands in the tables as they see them. Random work of the writer, in groups and with parts that fail, while
// readers look.
#include <atomic>
#include <mutex>
#include <random>
#include <thread>

#include "crypto/base/files.h"
#include "crypto/seal.h"
#include "daemon/outbox/sql.h"
#include "daemon/records/audit_end.h"
#include "daemon/records/consents.h"
#include "tests/daemon/outbox/outbox_fixture.h"
#include "tests/support/campaign.h"

namespace clinic::outbox {
namespace {

using records::Disclosure;
using records::Session;

const Error undone{Errc::refused, "undone"};

// What stands in a row itself, or in none.
std::vector<std::int64_t> row_of(Session& session, Literal sql, PatientId patient) {
    std::vector<std::int64_t> values;
    EXPECT_TRUE(first_row(
        session, sql,
        [&](const records::Statement& row) {
            for (int column = 0; column < 6; ++column) values.push_back(row.is_null(column) ? -1 : row.integer(column));
        },
        patient));
    return values;
}

crypto::Bytes blob_of(Session& session, Literal sql, PatientId patient) {
    crypto::Bytes value;
    EXPECT_TRUE(first_row(
        session, sql, [&](const records::Statement& row) { value = copy(row.blob(0)); }, patient));
    return value;
}

bool is_token_of(Session& session, const crypto::Bytes& stored, const std::string& said) {
    const auto token = crypto::token(session.index_key(), said);
    return std::ranges::equal(stored, token);
}

bool same_person(Session& session, PatientId patient) {
    const auto told = records::patient_facts(session, patient);
    const auto row = row_of(session,
                            "SELECT status, merged_into IS NOT NULL, test_traffic, has_mobile, has_email, created_at"
                            " FROM patient WHERE id = ?",
                            patient);
    if (row.empty()) return !told;
    if (!told) return false;
    const std::vector<std::int64_t> seen{static_cast<std::int64_t>(told->status),
                                         told->merged_into ? 1 : 0,
                                         told->test_traffic,
                                         told->has_mobile,
                                         told->has_email,
                                         told->created_at.micros};
    if (seen != row) return false;
    for (const auto scope :
         {records::ConsentScope::crm_sync, records::ConsentScope::reminders, records::ConsentScope::marketing}) {
        std::optional<std::int64_t> state;
        EXPECT_TRUE(first_row(
            session,
            "SELECT state FROM consent WHERE patient = ? AND scope = ?"
            " ORDER BY given_at DESC, said_at DESC, state DESC, row DESC LIMIT 1",
            [&](const records::Statement& found) { state = found.integer(0); }, patient, number(scope)));
        const auto said = std::ranges::find(told->consents, scope, &records::ConsentFacts::scope);
        if (state.has_value() != (said != told->consents.end())) return false;
        if (state && *state != number(said->state)) return false;
    }
    return true;
}

bool same_links(Session& session, PatientId patient) {
    const auto contact = Links::contact(session, patient);
    const auto stored = blob_of(session, "SELECT token FROM link WHERE patient = ?", patient);
    if (!contact) return contact.error().code == Errc::not_found; // a snapshot from before an erasure: the key is gone
    if (contact->empty() != stored.empty()) return false;
    return stored.empty() || is_token_of(session, stored, "contact\n" + *contact);
}

bool same_counters(Session& session) {
    const auto books = Outbox::books(session, Destination::crm);
    std::int64_t released = 0, pending = 0;
    EXPECT_TRUE(each_row(session, "SELECT state, envelopes FROM outbox_counter WHERE destination = 0",
                         [&](const records::Statement& row) {
                             if (row.integer(0) == 0) released = row.integer(1);
                             if (row.integer(0) == number(State::pending)) pending = row.integer(1);
                         }));
    return books && books->balanced() && books->released == released && books->pending == pending;
}

bool same_chain(Session& session) {
    const auto told = records::audit_end(session), stored = records::read_audit_end(session);
    return told && stored && told->newest == stored->newest && told->given == stored->given &&
           told->hash == stored->hash;
}

class CachedRows : public OutboxTest {
protected:
    using Random = std::mt19937_64;
    static std::uint64_t any(Random& random, std::uint64_t below) { return random() % below; }

    PatientId somebody(Random& random) {
        const std::lock_guard lock{mutex_};
        return people_.at(any(random, people_.size()));
    }
    void look(Session& session, PatientId patient, const char* where) {
        const bool same[] = {same_person(session, patient), same_links(session, patient), same_counters(session),
                             same_chain(session)};
        ++looks_;
        if (std::ranges::all_of(same, [](bool one) { return one; })) return;
        if (wrong_++ == 0)
            ADD_FAILURE() << where << ": person " << same[0] << " links " << same[1] << " counters " << same[2]
                          << " chain " << same[3];
    }

    Result<void> person_comes(Transaction& txn, const Disclosure& why, Random& random, std::vector<PatientId>& made) {
        records::PatientChange change;
        const auto who = std::to_string(any(random, 40));
        change.identifiers.push_back({"HOSP", "MR", records::PhiText{who}});
        std::vector<records::PhiText> phones;
        if (any(random, 2) == 0) phones.emplace_back("+1 555 010 0200");
        change.phones = records::Said<std::vector<records::PhiText>>::given(std::move(phones));
        const auto done = records::upsert_patient(txn, why, change, {"APP|FAC", txn.now()}, false);
        CLINIC_TRY(done);
        if (done->created) made.push_back(done->id);
        look(txn, done->id, "after an upsert");
        return {};
    }
    Result<void> consent_is_given(Transaction& txn, Random& random, PatientId who) {
        const records::ConsentChange change{.scope = static_cast<records::ConsentScope>(any(random, 3)),
                                            .state = static_cast<records::ConsentState>(any(random, 2)),
                                            .given_at = txn.now()};
        return records::record_consent(txn, who, change, {"APP|FAC", txn.now()});
    }
    Result<void> envelope_is_queued(Transaction& txn, PatientId who) {
        const auto pid = Links::pid(txn, Destination::crm, who);
        CLINIC_TRY(pid);
        const auto stored = blob_of(
            txn, "SELECT token FROM pseudonym WHERE patient = ? AND destination = 0 AND appointment = x''", who);
        EXPECT_TRUE(is_token_of(txn, stored, "pseudonym\n" + std::string{pid->text()}));
        const auto pushed =
            Outbox::push(txn, Destination::crm, who, contact_state(txn, who, Stage::active), std::nullopt);
        return pushed ? Result<void>{} : pushed.error();
    }
    // One that is merged refuses some of it: that is undone, which is work as well.
    Result<void> one_step(Transaction& txn, const Disclosure& why, Random& random, std::vector<PatientId>& made) {
        const PatientId who = made.empty() || any(random, 3) > 0 ? somebody(random) : made.back();
        const auto row = row_of(txn, "SELECT status, 0, 0, 0, 0, 0 FROM patient WHERE id = ?", who);
        if (row.empty() || row.front() == number(records::PatientStatus::erased)) return {}; // whose key goes
        switch (any(random, 9)) {
        case 0: return person_comes(txn, why, random, made);
        case 1: return consent_is_given(txn, random, who);
        case 2:
            return Links::set_contact(txn, who, "c" + std::to_string(any(random, 1'000'000) + 1'000'000'000),
                                      Made::by_us);
        case 3: return envelope_is_queued(txn, who);
        case 4:
            return execute(txn, "UPDATE patient SET has_email = ? WHERE id = ?",
                           static_cast<std::int64_t>(any(random, 2)), who);
        case 5: return execute(txn, "DELETE FROM consent WHERE patient = ?", who);
        case 6: return execute(txn, "DELETE FROM link WHERE patient = ?", who);
        case 7:
            return any(random, 4) > 0
                       ? Result<void>{}
                       : records::erase_patient(txn, why, who, [&](PatientId one) { return Outbox::erase(txn, one); });
        default: return records::merge_patients(txn, why, who, somebody(random));
        }
    }
    Result<void> job(Transaction& txn, std::uint64_t seed, std::vector<PatientId>& made) {
        Random random{seed};
        const auto why = audit::Trail::append(
            txn, {.actor = audit::Actor::feed, .action = audit::Action::update, .purpose = audit::Purpose::treatment});
        CLINIC_TRY(why);
        for (auto steps = 1 + any(random, 6); steps > 0; --steps) {
            const auto before = made.size();
            const bool fails = any(random, 3) == 0;
            const auto left = txn.apart([&]() -> Result<void> {
                CLINIC_TRY(one_step(txn, *why, random, made));
                look(txn, somebody(random), "in a part");
                return fails ? Result<void>{undone} : Result<void>{};
            });
            CLINIC_TRY(left);
            if (*left) made.resize(before);
            look(txn, somebody(random), "after a part");
        }
        return any(random, 4) == 0 ? Result<void>{undone} : Result<void>{};
    }
    void post(std::uint64_t seed) {
        const auto made = std::make_shared<std::vector<PatientId>>();
        ++under_way_;
        const bool taken = store_->post([this, seed, made](Transaction& txn) { return job(txn, seed, *made); },
                                        [this, made](const Result<void>& done) {
                                            const std::lock_guard lock{mutex_};
                                            if (done) people_.insert(people_.end(), made->begin(), made->end());
                                            --under_way_;
                                        });
        if (!taken) --under_way_;
    }

    std::mutex mutex_;
    std::vector<PatientId> people_;
    std::atomic<int> looks_{0}, wrong_{0}, under_way_{0};
};

TEST_F(CachedRows, AreWhatStandsInTheTablesForWhoeverLooks) {
    constexpr std::uint64_t jobs = 200;
    for (int i = 0; i < 10; ++i) people_.push_back(patient(std::to_string(i)));
    support::Campaign campaign{{.name = "cached_rows", .what = "jobs", .plain = 3, .most = 2'000, .weight = jobs}};
    while (const auto seed = campaign.next()) {
        Random random{*seed};
        std::atomic<bool> stop{false};
        std::vector<std::thread> readers;
        for (std::uint64_t i = 0; i < 2; ++i)
            readers.emplace_back([&, mine = *seed * 2 + i] {
                Random own{mine};
                while (!stop) {
                    const auto done = store_->read([&](records::Snapshot& snapshot) -> Result<void> {
                        for (int k = 0; k < 3; ++k) look(snapshot, somebody(own), "a reader");
                        return {};
                    });
                    EXPECT_TRUE(done);
                }
            });
        for (std::uint64_t done = 0; done < jobs; ++done) {
            post(random());
            if (any(random, 3) == 0) in([](Transaction&) { return Result<void>{}; });
        }
        in([](Transaction&) { return Result<void>{}; });
        stop = true;
        for (auto& one : readers) one.join();
        ASSERT_EQ(wrong_, 0) << looks_;
        EXPECT_EQ(under_way_, 0);
    }
    EXPECT_GT(looks_, 2'000);
    EXPECT_GT(store_->numbers().cache_hits, 1'000U);
    in([](Transaction& txn) { return audit::Trail::verify(txn); });
}

} // namespace
} // namespace clinic::outbox
