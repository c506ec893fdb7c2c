#include "daemon/records/connection.h"

#include <algorithm>
#include <cerrno>
#include <string>

#include "crypto/base/log.h"
#include "crypto/connection.h"

namespace clinic::records {
namespace {

constexpr int writer_busy_ms = 100;   // a TRUNCATE checkpoint waits this long for readers, then comes again
constexpr int reader_busy_ms = 5'000; // only recovery at open makes a reader wait
constexpr int statement_bytes_max = 1'000'000;
constexpr int steps_between_looks = 4'000; // of the virtual machine: a fraction of a millisecond

Errc code_of(int extended, int native) {
    switch (extended) {
    case SQLITE_NOTADB:
    case SQLITE_IOERR_DATA: return Errc::tampered;
    case SQLITE_IOERR_NOMEM: return Errc::system;
    default: break;
    }
    switch (extended & 0xff) {
    case SQLITE_FULL:
    case SQLITE_TOOBIG: return Errc::full;
    case SQLITE_NOTADB: return Errc::tampered;
    case SQLITE_CONSTRAINT: return Errc::conflict;
    case SQLITE_AUTH: return Errc::refused;
    case SQLITE_INTERRUPT: return Errc::timeout;
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:
    case SQLITE_SCHEMA:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH: return Errc::corrupt;
    case SQLITE_IOERR: return native == ENOSPC || native == EDQUOT || native == EFBIG ? Errc::full : Errc::system;
    default: return Errc::system;
    }
}

int refuse_the_door(void*, int action, const char*, const char*, const char*, const char*) {
    return action == SQLITE_ATTACH || action == SQLITE_DETACH || action == SQLITE_PRAGMA ? SQLITE_DENY : SQLITE_OK;
}

} // namespace

Error sqlite_error(sqlite3* db, int code, Literal what) {
    int native = errno; // SQLite notes it itself, but not when it is COMMIT that fails
    if (db != nullptr && sqlite3_system_errno(db) != 0) native = sqlite3_system_errno(db);
    return Error{code_of(code, native), what, "", {}, code};
}

Statement::Statement(Prepared& lent) : lent_{&lent} {
    lent_->lent = true;
}

Statement::Statement(Statement&& other) noexcept
    : lent_{std::exchange(other.lent_, nullptr)}, next_{other.next_}, failed_{other.failed_} {}

Statement::~Statement() {
    if (lent_ == nullptr) return;
    rewind();
    lent_->lent = false;
}

sqlite3_stmt* Statement::handle() const {
    return lent_->statement.get();
}

// Cleared too: a cached statement must not keep a patient's value.
void Statement::rewind() {
    if (lent_->stepped) lent_->owner.account(*lent_);
    sqlite3_reset(handle());
    sqlite3_clear_bindings(handle());
    next_ = 1;
    failed_ = 0;
}

Result<bool> Statement::step() {
    if (failed_ != 0) return sqlite_error(sqlite3_db_handle(handle()), failed_, "a value cannot be bound");
    errno = 0;
    const int code = lent_->owner.step(*lent_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    if (code == SQLITE_INTERRUPT)
        return Error{Errc::timeout, "a read of the store took longer than it may", "ask for less at a time"};
    return sqlite_error(sqlite3_db_handle(handle()), code, "the store: a statement failed");
}

Result<void> Statement::run() {
    for (;;) {
        const auto row = step();
        if (row && *row) continue;
        rewind();
        if (!row) return row.error();
        return {};
    }
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(handle(), column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(handle(), column);
}

std::string_view Statement::text(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle(), column));
    if (text == nullptr) return {};
    return {text, static_cast<std::size_t>(sqlite3_column_bytes(handle(), column))};
}

std::span<const std::byte> Statement::blob(int column) const {
    const auto* bytes = static_cast<const std::byte*>(sqlite3_column_blob(handle(), column));
    if (bytes == nullptr) return {};
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle(), column))};
}

base::Uuid Statement::uuid(int column) const {
    return base::Uuid::from_bytes(blob(column)).value_or(base::Uuid{});
}

void Statement::bind_next(std::int64_t value) {
    const int code = sqlite3_bind_int64(handle(), next_++, value);
    if (failed_ == 0) failed_ = code;
}

void Statement::bind_next(std::string_view value) {
    const char* text = value.data() == nullptr ? "" : value.data();
    const int code = sqlite3_bind_text64(handle(), next_++, text, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    if (failed_ == 0) failed_ = code;
}

void Statement::bind_next(std::span<const std::byte> value) {
    const int at = next_++;
    const int code = value.empty() ? sqlite3_bind_zeroblob(handle(), at, 0) // a null pointer would bind NULL
                                   : sqlite3_bind_blob64(handle(), at, value.data(), value.size(), SQLITE_TRANSIENT);
    if (failed_ == 0) failed_ = code;
}

void Statement::bind_next(std::nullopt_t) {
    const int code = sqlite3_bind_null(handle(), next_++);
    if (failed_ == 0) failed_ = code;
}

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& database, const char* vfs, Role role,
                                                     int cache_kib) {
    sqlite3* raw = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | (role == Role::writer ? SQLITE_OPEN_CREATE : 0) | SQLITE_OPEN_NOMUTEX;
    const int code = sqlite3_open_v2(database.c_str(), &raw, flags, vfs);
    Db db{raw};
    if (code != SQLITE_OK) return sqlite_error(raw, code, "the database cannot be opened");
    std::unique_ptr<Connection> connection{new Connection{std::move(db)}};
    CLINIC_TRY(connection->set_up(role, cache_kib));
    return connection;
}

Result<void> Connection::set_up(Role role, int cache_kib) {
    sqlite3* db = db_.get();
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, role == Role::writer ? writer_busy_ms : reader_busy_ms);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, statement_bytes_max);
    sqlite3_limit(db, SQLITE_LIMIT_WORKER_THREADS, 0);
    CLINIC_TRY(crypto::set_page_reserve(db));
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
    // The writer thread alone checkpoints (SQLite's WAL-reset bug), and a store that did not open stays as it is.
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    CLINIC_TRY(run_script("PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON;"
                          "PRAGMA cell_size_check=ON; PRAGMA mmap_size=0; PRAGMA wal_autocheckpoint=0;"));
    CLINIC_TRY(run_script(("PRAGMA cache_size=-" + std::to_string(cache_kib)).c_str()));
    if (role == Role::reader) return run_script("PRAGMA query_only=ON");
    return run_script("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"); // made in WAL mode by SealedVfs
}

void Connection::close_the_door() {
    sqlite3_set_authorizer(db_.get(), refuse_the_door, nullptr);
}

void Connection::end_by(std::optional<CoarseClock::time_point> end) {
    end_ = end;
    cut_ = false;
    const auto look = [](void* self) { return static_cast<Connection*>(self)->is_over() ? 1 : 0; };
    sqlite3_progress_handler(db_.get(), end ? steps_between_looks : 0, look, this);
}

int Connection::step(Prepared& lent) {
    if (is_over()) return SQLITE_INTERRUPT;
    lent.stepped = true;
    const auto began = CoarseClock::now();
    const int code = sqlite3_step(lent.statement.get());
    lent.took += CoarseClock::now() - began;
    return code;
}

void Connection::account(Prepared& lent) {
    lent.use.add(lent.statement.get(), std::exchange(lent.took, {}), slow_);
    lent.stepped = false;
}

// What is on loan stays; what was lent in a moment of much nesting goes by the same rule.
void Connection::make_room() {
    for (auto oldest = kept_.end(); kept_.size() >= statements_kept_max && oldest != kept_.begin();) {
        --oldest;
        if (oldest->lent) continue;
        const auto [first, last] = by_literal_.equal_range(oldest->sql.c_str());
        by_literal_.erase(std::find_if(first, last, [&](const auto& one) { return one.second == oldest; }));
        oldest = kept_.erase(oldest);
    }
}

Result<Statement> Connection::prepare(Literal sql) {
    const auto [first, last] = by_literal_.equal_range(sql.c_str());
    for (auto one = first; one != last; ++one) {
        if (one->second->lent) continue;
        kept_.splice(kept_.begin(), kept_, one->second);
        return Statement{*one->second};
    }
    make_room();
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(db_.get(), sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    if (code != SQLITE_OK) {
        base::log(base::Level::error, "records: a statement cannot be prepared", sql, {{"native", code}});
        return sqlite_error(db_.get(), code, "the store: a statement cannot be prepared");
    }
    kept_.push_front({*this, sql, use_.of(sql), OwnedStatement{raw}});
    by_literal_.emplace(sql.c_str(), kept_.begin());
    return Statement{kept_.front()};
}

Result<void> Connection::run(Literal sql) {
    auto statement = prepare(sql);
    if (!statement) return statement.error();
    return statement->run();
}

Result<void> Connection::run_script(const char* sql) {
    const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return sqlite_error(db_.get(), code, "the store: a set-up statement failed");
    return {};
}

Result<std::int64_t> Connection::number(Literal sql) {
    auto statement = prepare(sql);
    if (!statement) return statement.error();
    const auto row = statement->step();
    if (!row) return row.error();
    return *row ? statement->integer(0) : 0;
}

Result<void> Connection::check_pages() {
    auto statement = prepare("PRAGMA quick_check(1)");
    if (!statement) return statement.error();
    const auto row = statement->step();
    if (!row) return row.error();
    if (!*row || statement->text(0) != "ok") return Error{Errc::corrupt, "the database's pages do not fit together"};
    return {};
}

Result<std::int64_t> Connection::checkpoint(int mode) {
    int in_wal = 0;
    int copied = 0;
    const int code = sqlite3_wal_checkpoint_v2(db_.get(), "main", mode, &in_wal, &copied);
    if (code == SQLITE_BUSY) return std::int64_t{in_wal}; // a reader holds the rest: it comes with the next one
    if (code != SQLITE_OK) return sqlite_error(db_.get(), code, "the WAL cannot be copied into the database");
    return std::int64_t{in_wal > 0 ? in_wal : 0};
}

} // namespace clinic::records
