#include "daemon/outbox/dead_letters.h"

#include <algorithm>
#include <array>

#include "daemon/outbox/rows.h"
#include "daemon/outbox/sql.h"

namespace clinic::outbox {
namespace {

constexpr std::array class_names{"refused",   "gone",       "duplicate",   "blocked",
                                 "write_set", "unreadable", "object_gone", "object_taken"};
constexpr Timestamp ever{INT64_MAX};

DeadLetter read_letter(const records::Statement& row) {
    return {.row = row.integer(0),
            .kind = static_cast<envelope::Kind>(row.integer(1)),
            .code = std::string{row.text(2)},
            .queued_at = {row.integer(3)},
            .died_at = {row.integer(4)}};
}

// From the ledger: what was asked for on its way here.
Result<void> add_attempts(records::Session& session, DeadLetter& letter) {
    letter.first_at = letter.queued_at;
    const auto any = first_row(
        session,
        "SELECT count(*), min(at) FROM (SELECT at FROM ledger WHERE lease = ?1 "
        "UNION ALL SELECT at FROM ledger WHERE also = ?1 AND also > 0)",
        [&](const records::Statement& row) {
            letter.attempts = row.integer(0);
            if (letter.attempts > 0) letter.first_at = {row.integer(1)};
        },
        letter.row);
    return any ? Result<void>{} : any.error();
}

Result<Row> dead_row(records::Session& session, std::int64_t id) {
    auto row = find_row(session, id);
    CLINIC_TRY(row);
    if (!*row || (*row)->state != State::dead)
        return Error{Errc::not_found, "no such dead letter", "look at: clinicctl sync dead list"};
    return std::move(**row);
}

} // namespace

const char* name(DeadClass one) {
    return class_names.at(static_cast<std::size_t>(one));
}

std::optional<DeadClass> dead_class(std::string_view name) {
    const auto found = std::find(class_names.begin(), class_names.end(), name);
    if (found == class_names.end()) return std::nullopt;
    return static_cast<DeadClass>(found - class_names.begin());
}

DeadClass class_of(std::string_view code) {
    if (code == "http_404" || code == "http_410") return DeadClass::gone;
    for (const auto one : {DeadClass::duplicate, DeadClass::blocked, DeadClass::write_set, DeadClass::unreadable,
                           DeadClass::object_gone, DeadClass::object_taken})
        if (code == name(one)) return one;
    return DeadClass::refused;
}

Result<std::vector<DeadLetter>> DeadLetters::list(records::Session& session, const DeadSearch& search,
                                                  int letters_max) {
    Timestamp died = ever;
    if (search.before > 0) {
        const auto last = dead_row(session, search.before);
        CLINIC_TRY(last);
        died = last->due_at;
    }
    std::vector<DeadLetter> letters;
    auto rows = session.prepare("SELECT id, kind, code, queued_at, due_at FROM outbox WHERE destination = 0 AND "
                                "state = 4 AND (due_at, id) < (?, ?) ORDER BY due_at DESC, id DESC");
    if (!rows) return rows.error();
    rows->bind(died, search.before > 0 ? search.before : INT64_MAX);
    while (static_cast<int>(letters.size()) < letters_max) {
        const auto found = rows->step();
        CLINIC_TRY(found);
        if (!*found) break;
        auto letter = read_letter(*rows);
        if (!search.only || class_of(letter.code) == *search.only) letters.push_back(std::move(letter));
    }
    for (auto& letter : letters) CLINIC_TRY(add_attempts(session, letter));
    return letters;
}

Result<DeadLetter> DeadLetters::find(records::Session& session, std::int64_t row) {
    CLINIC_TRY(dead_row(session, row));
    DeadLetter letter;
    CLINIC_TRY(first_row(
        session, "SELECT id, kind, code, queued_at, due_at FROM outbox WHERE id = ?",
        [&](const records::Statement& one) { letter = read_letter(one); }, row));
    CLINIC_TRY(add_attempts(session, letter));
    return letter;
}

Result<Leased> DeadLetters::open(records::Session& session, std::int64_t row) {
    const auto letter = dead_row(session, row);
    CLINIC_TRY(letter);
    return opened(session, *letter);
}

Result<std::vector<std::int64_t>> DeadLetters::numbers(records::Session& session, std::optional<DeadClass> only,
                                                       Timestamp until, int letters_max) {
    std::vector<std::int64_t> ids;
    CLINIC_TRY(each_row(session, "SELECT id, code, due_at FROM outbox INDEXED BY outbox_dead WHERE state = 4",
                        [&](const records::Statement& row) {
                            const bool wanted = !only || class_of(row.text(1)) == *only;
                            if (wanted && Timestamp{row.integer(2)} <= until) ids.push_back(row.integer(0));
                        }));
    if (ids.size() > static_cast<std::size_t>(letters_max)) ids.resize(static_cast<std::size_t>(letters_max));
    return ids;
}

Result<std::vector<DeadCount>> DeadLetters::counts(records::Session& session) {
    std::array<DeadCount, class_names.size()> all{};
    CLINIC_TRY(each_row(session,
                        "SELECT code, count(*), min(due_at), max(due_at) FROM outbox INDEXED BY outbox_dead "
                        "WHERE state = 4 GROUP BY code",
                        [&](const records::Statement& row) {
                            const auto of = class_of(row.text(0));
                            DeadCount& count = all.at(static_cast<std::size_t>(of));
                            const Timestamp first{row.integer(2)}, last{row.integer(3)};
                            count.first = count.letters == 0 ? first : std::min(count.first, first);
                            count.last = std::max(count.last, last);
                            count.letters += row.integer(1);
                            count.of = of;
                        }));
    std::vector<DeadCount> some;
    for (const DeadCount& count : all)
        if (count.letters > 0) some.push_back(count);
    return some;
}

Result<std::vector<records::PatientId>> DeadLetters::keep_bound(records::Transaction& txn, int letters_max) {
    const auto counters = counters_of(txn, envelope::Destination::crm);
    CLINIC_TRY(counters);
    const std::int64_t over = counters->envelopes.at(static_cast<std::size_t>(State::dead)) - dead_letters_max;
    if (over <= 0) return std::vector<records::PatientId>{};
    return Outbox::discard_dead_before(txn, ever, static_cast<int>(std::min<std::int64_t>(over, letters_max)));
}

} // namespace clinic::outbox
