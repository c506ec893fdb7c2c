#include "daemon/records/salvage/mend.h"

#include <unistd.h>

#include <algorithm>

#include "daemon/audit/trail.h"
#include "daemon/outbox/outbox.h"
#include "daemon/records/patients.h"
#include "daemon/records/salvage/shape.h"
#include "daemon/records/store_check.h"

namespace clinic::salvage {
namespace {

using records::sqlite_error;

constexpr int people_a_transaction = 200;

bool lost_from(const Salvaged& salvaged, std::string_view table) {
    const auto found = std::ranges::find(salvaged.tables, table, &TableSalvaged::table);
    return found != salvaged.tables.end() && !found->whole();
}

// docs/status.md, "The books": 0 released; 1 to 4 the open ones, each a row of the outbox; 8 discarded. What was open
// and is lost ends as discarded; the daily job tells GHL again what still holds.
constexpr const char* books_sql = R"sql(
CREATE TEMP TABLE open_now AS
    SELECT d.destination, s.state, (SELECT count(*) FROM outbox o WHERE o.destination = d.destination
                                                                    AND o.state = s.state) AS there
    FROM (SELECT destination FROM outbox UNION SELECT destination FROM outbox_counter) d,
         (SELECT 1 AS state UNION SELECT 2 UNION SELECT 3 UNION SELECT 4) s;
INSERT INTO outbox_counter (destination, state, envelopes) SELECT destination, 8,
    sum(max(0, coalesce((SELECT envelopes FROM outbox_counter c WHERE c.destination = n.destination
                                                                  AND c.state = n.state), 0) - there))
    FROM open_now n GROUP BY destination HAVING sum(there) >= 0
    ON CONFLICT (destination, state) DO UPDATE SET envelopes = envelopes + excluded.envelopes;
INSERT INTO outbox_counter (destination, state, envelopes) SELECT destination, state, there FROM open_now WHERE true
    ON CONFLICT (destination, state) DO UPDATE SET envelopes = excluded.envelopes;
INSERT INTO outbox_counter (destination, state, envelopes)
    SELECT destination, 0, sum(envelopes) FROM outbox_counter WHERE state > 0 GROUP BY destination
    ON CONFLICT (destination, state) DO UPDATE SET envelopes = excluded.envelopes;
DROP TABLE open_now;
)sql";

Result<void> put_books_right(records::Connection& connection, const Salvaged& salvaged) {
    if (!lost_from(salvaged, "outbox") && !lost_from(salvaged, "outbox_counter")) return {};
    return connection.run_script(books_sql);
}

// Who is lost may have had the highest key: a row of nobody, as of a person who was erased, holds the last slot.
Result<void> pass_over_keys(records::Connection& connection, const Salvaged& salvaged, std::int64_t key_slots) {
    if (!lost_from(salvaged, "patient") || key_slots == 0) return {};
    const auto insert =
        prepare(connection, "INSERT INTO patient (id, key_slot, status, test_traffic, created_at, updated_at, sealed)"
                            " SELECT randomblob(16), ?1, ?2, 0, 0, 0, x''"
                            " WHERE NOT EXISTS (SELECT 1 FROM patient WHERE key_slot >= ?1)");
    CLINIC_TRY(insert);
    sqlite3_bind_int64(insert->get(), 1, key_slots);
    sqlite3_bind_int(insert->get(), 2, static_cast<int>(records::PatientStatus::erased));
    const int code = sqlite3_step(insert->get());
    if (code != SQLITE_DONE) return sqlite_error(connection.handle(), code, "the keys cannot be passed over");
    return {};
}

// People are counted by the highest row, so what is no person is noted: rows that are missing, and those that hold
// keys.
Result<void> count_people(records::Connection& connection) {
    static_assert(static_cast<int>(records::PatientStatus::erased) == 3);
    return connection.run("INSERT INTO setting (key, value)"
                          " SELECT 'patients_missing', max(row) - sum(status <> 3 OR created_at > 0) AS missing"
                          " FROM patient HAVING missing > 0"
                          " ON CONFLICT (key) DO UPDATE SET value = excluded.value");
}

// Links of the chain that are lost, or proven by nothing any more: each gap is said by a link, the last one first.
Result<void> say_what_is_lost(records::Store& store, Salvaged& salvaged) {
    const auto walked = audit::walk_through(store);
    CLINIC_TRY(walked);
    for (const auto& gap : walked->gaps)
        if (gap.said_by == 0) salvaged.lost_links.push_back(gap);
    if (salvaged.lost_links.empty()) return {};
    return store.write([&](records::Transaction& txn) -> Result<void> {
        for (auto gap = salvaged.lost_links.rbegin(); gap != salvaged.lost_links.rend(); ++gap)
            CLINIC_TRY(audit::Trail::say_lost(txn, *gap));
        return {};
    });
}

Result<std::vector<records::PatientId>> people_after(records::Session& session,
                                                     const std::optional<records::PatientId>& after) {
    auto find = session.prepare("SELECT id FROM patient WHERE id > ? AND length(sealed) > 0 ORDER BY id LIMIT ?");
    CLINIC_TRY(find);
    find->bind(after ? after->uuid : base::Uuid{}, people_a_transaction);
    std::vector<records::PatientId> people;
    for (;;) {
        const auto row = find->step();
        CLINIC_TRY(row);
        if (!*row) return people;
        people.push_back(records::PatientId{find->uuid(0)});
    }
}

// Under one entry of the audit chain for as many people as one transaction takes.
Result<void> index_some(records::Transaction& txn, Salvaged& salvaged, std::optional<records::PatientId>& after) {
    auto people = people_after(txn, after);
    CLINIC_TRY(people);
    after = people->empty() ? std::nullopt : std::optional{people->back()};
    if (people->empty()) return {};
    const auto why = audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                                .actor_id = getuid(),
                                                .action = audit::Action::update,
                                                .purpose = audit::Purpose::operations,
                                                .detail = "salvage: indexes anew",
                                                .subjects = *people});
    CLINIC_TRY(why);
    for (const auto& who : *people) {
        const auto failed = txn.apart([&] { return records::index_again(txn, *why, who); });
        CLINIC_TRY(failed);
        ++(*failed ? salvaged.not_found_anew : salvaged.found_anew);
    }
    return {};
}

Result<void> erase_some(records::Transaction& txn, std::int64_t& erased, std::optional<records::PatientId>& after) {
    const auto people = people_after(txn, after);
    CLINIC_TRY(people);
    after = people->empty() ? std::nullopt : std::optional{people->back()};
    for (const auto& who : *people) {
        const auto key = txn.patient_key(who);
        if (key || records::is_damage(key.error().code)) continue; // a damaged one is no erased one
        if (key.error().code != Errc::not_found) return key.error();
        const auto why = audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                                    .actor_id = getuid(),
                                                    .action = audit::Action::erase,
                                                    .purpose = audit::Purpose::operations,
                                                    .detail = "restore: erased since the copy",
                                                    .subjects = {who}});
        CLINIC_TRY(why);
        CLINIC_TRY(records::erase_patient(txn, *why, who,
                                          [&](records::PatientId one) { return outbox::Outbox::erase(txn, one); }));
        ++erased;
    }
    return {};
}

} // namespace

Result<std::int64_t> erase_the_keyless(records::Store& store) {
    std::int64_t erased = 0;
    std::optional<records::PatientId> after;
    do {
        CLINIC_TRY(store.write([&](records::Transaction& txn) { return erase_some(txn, erased, after); }));
    } while (after);
    return erased;
}

Result<void> mend(records::Connection& connection, const Salvaged& salvaged, std::int64_t key_slots) {
    CLINIC_TRY(connection.run("BEGIN IMMEDIATE"));
    CLINIC_TRY(put_books_right(connection, salvaged));
    CLINIC_TRY(pass_over_keys(connection, salvaged, key_slots));
    CLINIC_TRY(count_people(connection));
    return connection.run("COMMIT");
}

Result<void> close_the_basis(records::Transaction& txn) {
    auto close = txn.prepare("DELETE FROM setting WHERE key = 'policy'");
    CLINIC_TRY(close);
    return close->run();
}

Result<void> finish(records::Store& store, Salvaged& salvaged) {
    CLINIC_TRY(say_what_is_lost(store, salvaged));
    const bool anew = salvaged.rows_aside_of_nobody > 0 || lost_from(salvaged, "patient_token") ||
                      lost_from(salvaged, "identifier") || lost_from(salvaged, "identifier_token");
    std::optional<records::PatientId> after;
    if (anew) do {
            CLINIC_TRY(store.write([&](records::Transaction& txn) { return index_some(txn, salvaged, after); }));
        } while (after);
    return store.write([&](records::Transaction& txn) -> Result<void> {
        salvaged.basis_closed = !salvaged.complete();
        if (salvaged.basis_closed) CLINIC_TRY(close_the_basis(txn));
        CLINIC_TRY(audit::Trail::append(txn, {.actor = audit::Actor::operator_,
                                              .actor_id = getuid(),
                                              .action = audit::Action::system,
                                              .purpose = audit::Purpose::operations,
                                              .detail = salvaged.complete() ? Literal{"salvage: nothing lost"}
                                                                            : Literal{"salvage: a part is lost"}}));
        return {};
    });
}

} // namespace clinic::salvage
