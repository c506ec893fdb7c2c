#include "daemon/records/store_check.h"

#include <charconv>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "crypto/base/json.h"
#include "crypto/base/log.h"
#include "crypto/store_layout.h"
#include "daemon/records/connection.h"

namespace clinic::records {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr Literal place_setting = "store_check";
constexpr std::size_t place_bytes_max = 1'024;
constexpr milliseconds looks_each{20};
constexpr Error page_lost{Errc::tampered, "a page of the store does not open", damage_remedy};
constexpr Error senseless{Errc::corrupt, "the database's pages do not fit together", damage_remedy};

// Interrupts a statement when a condition holds; looks each 20 ms, from a thread of its own.
class Interrupter {
public:
    Interrupter(sqlite3* connection, std::function<bool()> holds)
        : thread_{[this, connection, holds = std::move(holds)](const std::stop_token& stop) {
              std::unique_lock lock{mutex_};
              while (!woken_.wait_for(lock, stop, looks_each, [] { return false; }) && !stop.stop_requested())
                  if (holds()) sqlite3_interrupt(connection);
          }} {}

private:
    std::mutex mutex_;
    std::condition_variable_any woken_;
    std::jthread thread_; // last: joined first
};

// Each page is opened as it lies in the database's file, through the connection's own handle of it. `next` is then the
// one behind the last that was read.
Result<void> read_pages(Connection& connection, std::int64_t& next, std::int64_t pages_max, std::int64_t& there) {
    sqlite3_file* file = nullptr;
    sqlite3_file_control(connection.handle(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
    const auto page = std::make_unique<crypto::Page>();
    constexpr auto page_size = static_cast<std::int64_t>(crypto::page_bytes);
    sqlite3_int64 bytes = 0;
    if (file->pMethods->xFileSize(file, &bytes) != SQLITE_OK) return Error{Errc::system, "the database has no size"};
    there = bytes / page_size;
    for (const auto last = std::min(next + pages_max - 1, there); next <= last; ++next) {
        if (next == static_cast<std::int64_t>(crypto::lock_page)) continue;
        const int code =
            file->pMethods->xRead(file, page->data(), static_cast<int>(page->size()), (next - 1) * page_size);
        if (code == SQLITE_NOTADB || code == SQLITE_IOERR_DATA) return page_lost;
        if (code != SQLITE_OK) return Error{Errc::system, "a page of the store cannot be read", "", {}, code};
    }
    return {};
}

std::int64_t integer(const json& from, const char* key) {
    const auto found = from.find(key);
    return found != from.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::string written(const CheckPlace& place) {
    return base::dump_json({{"started", place.started.micros},
                            {"next_page", place.next_page},
                            {"next_table", place.next_table},
                            {"next_slot", place.next_slot},
                            {"skipped", place.tables_skipped},
                            {"keys_damaged", place.keys_damaged},
                            {"last", place.last.micros},
                            {"last_damaged", place.last_sound ? 0 : 1},
                            {"last_skipped", place.last_skipped},
                            {"last_keys_damaged", place.last_keys_damaged}});
}

} // namespace

std::optional<int> page_not_got(std::string_view line) {
    constexpr std::string_view with_code = "unable to get the page. error code=";
    const auto at = line.find(with_code);
    if (at == std::string_view::npos)
        return line.find("failed to get page") == std::string_view::npos ? std::nullopt : std::optional{SQLITE_IOERR};
    int code = SQLITE_IOERR;
    const auto digits = line.substr(at + with_code.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), code);
    return code;
}

// One row says all: "ok", or the first thing that is wrong.
Result<Verdict> run_check(Connection& connection, const std::string& sql) {
    sqlite3_stmt* raw = nullptr;
    const auto failed = [&](int code) {
        return sqlite_error(connection.handle(), code, "the check of the store failed");
    };
    int code = sqlite3_prepare_v2(connection.handle(), sql.c_str(), -1, &raw, nullptr);
    const OwnedStatement statement{raw};
    if (code == SQLITE_OK) code = sqlite3_step(raw);
    if ((code & 0xff) == SQLITE_INTERRUPT) return Verdict::interrupted;
    if (code != SQLITE_ROW) return failed(code);
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(raw, 0));
    if (text == nullptr) return failed(SQLITE_NOMEM);
    if (const auto why = page_not_got(text)) return failed(*why);
    return std::string_view{text} == "ok" ? Verdict::sound : Verdict::wrong;
}

Result<bool> check_at_open(Connection& connection, const OpenCheck& how) {
    const auto pages = connection.number("PRAGMA page_count");
    CLINIC_TRY(pages);
    if (how.everything) {
        std::int64_t next = 1, there = 0;
        CLINIC_TRY(read_pages(connection, next, std::numeric_limits<std::int32_t>::max(), there));
    }
    const auto until = std::chrono::steady_clock::now() + how.time_max;
    std::optional<Interrupter> watch;
    if (!how.everything && *pages > how.whole_pages_max)
        watch.emplace(connection.handle(), [until] { return std::chrono::steady_clock::now() >= until; });
    const auto said = run_check(connection, how.everything ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)");
    watch.reset();
    // SQLite forgets the interrupt when a statement begins, not when a checkpoint does: that would be refused.
    CLINIC_TRY(connection.number("PRAGMA page_count"));
    if (!said) return said.error();
    if (*said == Verdict::wrong) return senseless;
    if (*said == Verdict::interrupted)
        base::log(base::Level::info, "records", "the check at open ended by its time; the weekly one sees the rest",
                  {{"pages", *pages}});
    return *said == Verdict::sound;
}

void CheckPlace::begin(Timestamp now) {
    last_keys_damaged = people_damaged();
    started = now;
    next_page = 1;
    next_table.clear();
    next_slot = tables_skipped = keys_damaged = 0;
}

std::optional<bool> CheckPlace::sound() const {
    const bool is_known = last.micros != 0 && (last_skipped == 0 || !last_sound);
    return is_known ? std::optional{last_sound} : std::nullopt;
}

Result<CheckPlace> check_place(Session& session) {
    const auto text = setting(session, place_setting);
    CLINIC_TRY(text);
    CheckPlace place;
    const auto said = *text ? base::parse_json(**text, place_bytes_max, 2) : Result<json>{json::object()};
    if (!said || !said->is_object()) return place; // begins anew
    place.started.micros = integer(*said, "started");
    place.next_page = integer(*said, "next_page");
    place.next_table = said->value("next_table", std::string{});
    place.next_slot = integer(*said, "next_slot");
    place.tables_skipped = integer(*said, "skipped");
    place.keys_damaged = integer(*said, "keys_damaged");
    place.last.micros = integer(*said, "last");
    place.last_sound = integer(*said, "last_damaged") == 0;
    place.last_skipped = integer(*said, "last_skipped");
    place.last_keys_damaged = integer(*said, "last_keys_damaged");
    return place;
}

Result<void> set_check_place(Transaction& txn, const CheckPlace& place) {
    return set_setting(txn, place_setting, written(place));
}

Result<void> check_again(Connection& writing, CheckPlace place, Timestamp now) {
    place.begin(now);
    auto put = writing.prepare("UPDATE setting SET value = ? WHERE key = ?");
    CLINIC_TRY(put);
    return put->bind(written(place), place_setting.c_str()).run();
}

StoreCheck::StoreCheck(Store& store, CheckOptions options) : store_{store}, options_{options} {}
StoreCheck::~StoreCheck() = default;

Result<void> StoreCheck::mark() {
    return store_.write([this](Transaction& txn) { return set_check_place(txn, *place_); });
}

Result<StoreCheck::Step> StoreCheck::step(Timestamp now) {
    if (!place_) {
        CLINIC_TRY(store_.read([this](Snapshot& session) -> Result<void> {
            auto place = check_place(session);
            CLINIC_TRY(place);
            place_ = std::move(*place);
            return {};
        }));
    }
    if (place_->started.micros == 0) {
        const auto since = now - place_->last;
        const auto every = place_->last_skipped > 0 ? options_.every_skipped : options_.every;
        if (place_->last.micros != 0 && since >= base::Micros{0} && since < every) return Step::not_due;
        place_->begin(now);
        CLINIC_TRY(mark());
    }
    if (!connection_) {
        auto opened = store_.checker();
        CLINIC_TRY(opened);
        connection_ = std::move(*opened);
    }
    if (place_->next_page > 0) return pages(now);
    return place_->next_slot > 0 ? keys(now) : table(now);
}

// A disk that refuses to have a superblock written anew keeps nobody from looking at the rest.
void StoreCheck::superblocks() {
    const auto mended = store_.keys().mend();
    if (!mended) base::log(base::Level::error, "records: a superblock", mended.error());
}

Result<StoreCheck::Step> StoreCheck::pages(Timestamp now) {
    if (place_->next_page == 1) superblocks();
    std::int64_t there = 0;
    Result<void> read;
    {
        const std::scoped_lock lock{store_.no_checkpoint()};
        read = read_pages(*connection_, place_->next_page, options_.pages_a_slice, there);
    }
    if (!read && read.error().code == Errc::tampered) return found(read.error(), now);
    CLINIC_TRY(read);
    const bool all = place_->next_page > there;
    if (all) place_->next_page = 0;
    if (all || ++slices_ % options_.slices_a_mark == 0) CLINIC_TRY(mark());
    return Step::more;
}

Result<StoreCheck::Step> StoreCheck::table(Timestamp now) {
    if (store_.wal_is_long()) return Step::more; // somebody else holds it: a snapshot of ours would not help
    auto next = connection_->prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name >= ?"
                                     " ORDER BY name LIMIT 2");
    CLINIC_TRY(next);
    const auto row = next->bind(place_->next_table).step();
    CLINIC_TRY(row);
    if (!*row) {
        place_->next_slot = 1;
        CLINIC_TRY(mark());
        return Step::more;
    }
    const std::string name{next->text(0)};
    const auto another = next->step();
    CLINIC_TRY(another);
    const std::string after = *another ? std::string{next->text(0)} : name + '\x01';
    CLINIC_TRY(next->run());

    const auto before = store_.numbers().authentication_failures;
    const Interrupter watch{connection_->handle(), [this] { return stopping_ || store_.wal_is_long(); }};
    const auto said = run_check(*connection_, "PRAGMA integrity_check('" + name + "')");
    const bool seal_failed = store_.numbers().authentication_failures > before;
    if (said ? *said == Verdict::wrong : seal_failed || is_damage(said.error().code))
        return found(seal_failed || (!said && said.error().code == Errc::tampered) ? page_lost : senseless, now);
    CLINIC_TRY(said);
    if (stopping_) return Step::more;
    if (*said == Verdict::interrupted && ++gave_way_ < options_.gives_way_max) return Step::more;
    if (*said == Verdict::interrupted) ++place_->tables_skipped;
    gave_way_ = 0;
    place_->next_table = after;
    CLINIC_TRY(mark());
    return Step::more;
}

// A slot beyond the file is looked for up to the highest that was used before the file was looked at: it grows first.
Result<StoreCheck::Step> StoreCheck::keys(Timestamp now) {
    const auto highest = connection_->number("SELECT coalesce(max(key_slot), 0) FROM patient");
    CLINIC_TRY(highest);
    const auto looked = store_.look_at_keys(crypto::SlotId{place_->next_slot}, options_.keys_a_slice);
    CLINIC_TRY(looked);
    auto whose = connection_->prepare("SELECT count(*) FROM patient WHERE key_slot BETWEEN ? AND ? AND status <> 3");
    CLINIC_TRY(whose);
    std::int64_t damaged = 0; // of this slice: after an error it is done again
    const auto count = [&](std::int64_t first, std::int64_t last) -> Result<void> {
        const auto row = whose->bind(first, last).step();
        CLINIC_TRY(row);
        damaged += whose->integer(0);
        return whose->run();
    };
    for (const auto slot : looked->damaged) CLINIC_TRY(count(slot, slot));
    const auto next = place_->next_slot + looked->slots;
    if (looked->slots < options_.keys_a_slice) {
        CLINIC_TRY(count(next, *highest));
        return ended(place_->keys_damaged + damaged, now);
    }
    place_->next_slot = next;
    place_->keys_damaged += damaged;
    CLINIC_TRY(mark());
    return Step::more;
}

// Until it is written down it has not ended: the last slice is done again.
Result<StoreCheck::Step> StoreCheck::ended(std::int64_t keys_damaged, Timestamp now) {
    CheckPlace done = *place_;
    done.started = {};
    done.last = now;
    done.last_sound = true;
    done.last_skipped = done.tables_skipped;
    done.last_keys_damaged = done.keys_damaged = keys_damaged;
    CLINIC_TRY(store_.write([&](Transaction& txn) { return set_check_place(txn, done); }));
    place_ = done;
    const bool all_well = place_->last_skipped == 0 && place_->last_keys_damaged == 0;
    base::log(all_well ? base::Level::info : base::Level::warning, "records",
              all_well ? Literal{"the store was checked whole, and is sound"}
                       : Literal{"the store was checked; tables were too busy, or people's keys do not open"},
              {{"tables_skipped", place_->last_skipped}, {"keys_damaged", place_->last_keys_damaged}});
    return Step::sound;
}

Result<StoreCheck::Step> StoreCheck::found(Error damage, Timestamp now) {
    damage_ = damage;
    base::log(base::Level::error, "records: the check of the store", damage);
    place_->started = {};
    place_->last = now;
    place_->last_sound = false;
    const auto kept = store_.write([this](Transaction& txn) -> Result<void> {
        CLINIC_TRY(set_check_place(txn, *place_));
        return set_setting(txn, damage_setting, "1");
    });
    if (!kept) base::log(base::Level::error, "records: what the check found is not written down", kept.error());
    return Step::damaged;
}

} // namespace clinic::records
