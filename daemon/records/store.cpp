#include "daemon/records/store.h"

#include <cassert>
#include <future>
#include <mutex>

#include "crypto/base/log.h"
#include "crypto/sealed_vfs.h"
#include "crypto/store_layout.h"
#include "daemon/records/closed_mark.h"
#include "daemon/records/identifier_loader.h"
#include "daemon/records/readers.h"
#include "daemon/records/restoring.h"
#include "daemon/records/schema.h"
#include "daemon/records/store_check.h"
#include "daemon/records/writer.h"

namespace clinic::records {
namespace {

// Sub-keys of the store key; the numbers are for ever.
enum SubkeyId : std::uint64_t { wrapping_id = 100, index_id = 101, quarantine_id = 102, unowned_id = 103 };

constexpr int checker_cache_kib = 2'048;

constexpr std::int64_t identifier_rows_a_slice = 10'000; // one look at the index waits for so many at most
constexpr int loading_cache_kib = 1'024;                 // each page is read once

Result<void> make_folder(const std::filesystem::path& folder) {
    std::error_code why;
    if (std::filesystem::is_directory(folder, why)) return {};
    std::filesystem::create_directory(folder, why);
    if (!why) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, why);
    if (why) return Error{Errc::system, "the records folder cannot be made", "", {}, why.value()};
    return {};
}

// A disk that does not answer is no missing file.
Result<bool> is_there(const std::filesystem::path& file) {
    std::error_code why;
    const bool there = std::filesystem::exists(file, why);
    if (why)
        return Error{Errc::system,
                     "the machine refuses to look into the records' folder",
                     "look at the records' disk: is it mounted and healthy?",
                     {},
                     why.value()};
    return there;
}

std::int64_t bytes_of(const std::filesystem::path& path) {
    std::error_code none;
    const auto bytes = std::filesystem::file_size(path, none);
    return none ? 0 : static_cast<std::int64_t>(bytes);
}

} // namespace

// Members stand in order of need: `open` fills them from the top, the destructor goes back from the bottom.
struct Store::State {
    State(const StoreOptions& given, const Clock& clock_given)
        : options{given}, clock{clock_given}, slow{given.slow_statement}, readers{given.reader_wait_max,
                                                                                  given.snapshot_max} {}

    Result<void> open(const crypto::KeySlot& slot);
    Result<void> open_database(const crypto::KeySlot& slot);
    Result<void> open_schema(bool had_keys);
    Result<void> check_pages();
    Result<void> open_keys();
    Result<void> finish_erasures();
    Result<void> open_readers();
    Result<std::optional<std::int64_t>> load_identifiers();
    void found_damage(const Error& why);
    Result<std::optional<std::int64_t>> load_slice(std::int64_t after, std::int64_t rows_max);

    std::filesystem::path database() const { return options.database(); }
    std::filesystem::path keys_file() const { return options.folder / "keys.db"; }
    // Put there once, by who set the box up.
    std::filesystem::path wish() const { return options.folder / "make-store"; }

    const StoreOptions options;
    const Clock& clock;
    int schema = 0;
    bool doubted = false;    // damage was found before: all of it is looked at before anybody is let in
    bool was_closed = false; // in order, by the last who had it open
    SlowStatements slow;
    std::unique_ptr<crypto::SealedVfs> vfs;
    Shared shared;
    std::unique_ptr<Connection> writing;
    std::unique_ptr<Writer> writer; // its thread ends when the readers are gone: it copies the WAL last
    Readers readers;
    std::unique_ptr<Connection> loading; // a snapshot older than the writer, until all identifiers are read
    std::unique_ptr<IdentifierLoader> loader;
};

Result<void> Store::State::open(const crypto::KeySlot& slot) {
    assert(options.readers_max > 0 && options.batch_jobs_max > 0 && options.queue_jobs_max > 0);
    if (!crypto::start()) return Error{Errc::system, "the cryptographic library does not start"};
    CLINIC_TRY(none_is_put_back(options.folder));
    CLINIC_TRY(make_folder(options.folder));
    const auto had_keys = is_there(keys_file());
    CLINIC_TRY(had_keys);
    const auto had_database = is_there(database());
    CLINIC_TRY(had_database);
    if (*had_keys && !*had_database)
        return Error{Errc::conflict, "the keystore is there and its database is not",
                     "restore records.db from a backup"};
    CLINIC_TRY(open_database(slot));
    CLINIC_TRY(none_is_put_back(options.folder)); // nor since, now that the lock is ours
    CLINIC_TRY(open_schema(*had_keys));
    CLINIC_TRY(open_keys());
    CLINIC_TRY(finish_erasures());
    CLINIC_TRY(open_readers());
    writing->close_the_door();
    const auto next_identifiers = load_identifiers();
    CLINIC_TRY(next_identifiers);
    if (doubted) CLINIC_TRY(writing->run("DELETE FROM setting WHERE key = 'store_damage'"));
    std::error_code none;
    if (std::filesystem::remove(wish(), none); none)
        base::log(base::Level::error, "records: the file make-store cannot be removed",
                  Error{Errc::system, "remove it by hand: it would let a new store be made", "", {}, none.value()});
    if (!shared.rows->watch(writing->handle()))
        base::log(base::Level::warning, "records", "this SQLite does not tell of changed rows: none is cached");
    writing->watch(&slow); // what the opening itself took is no news
    writer = std::make_unique<Writer>(*writing, shared, options, clock);
    shared.found_damage = [this](const Error& why) { found_damage(why); };
    if (*next_identifiers)
        loader = std::make_unique<IdentifierLoader>(
            [this](std::int64_t after) { return load_slice(after, identifier_rows_a_slice); }, **next_identifiers,
            [this](const Error& why) { found_damage(why); });
    return {};
}

// Written down before it is told, so that the next open looks at everything.
void Store::State::found_damage(const Error& why) {
    if (shared.damage_found.exchange(true)) return;
    base::log(base::Level::error, "records", why);
    const auto tell = [this, why](const Result<void>& kept) {
        if (!kept) base::log(base::Level::error, "records: the damage is not written down", kept.error());
        if (options.on_damage) options.on_damage(why);
    };
    const auto job = [](Transaction& txn) { return set_setting(txn, damage_setting, "1"); };
    if (!writer->post(job, tell, clock.monotonic())) tell(Error{Errc::full, "the store's queue is full"});
}

Result<void> Store::State::open_database(const crypto::KeySlot& slot) {
    const auto wished = is_there(wish());
    CLINIC_TRY(wished);
    const bool may_make = options.make || *wished;
    std::error_code none;
    const auto wal_bytes = std::filesystem::file_size(database().string() + "-wal", none);
    const bool wal_is_empty = none ? none == std::errc::no_such_file_or_directory : wal_bytes == 0;
    auto opened = crypto::SealedVfs::open(database(), slot,
                                          may_make ? crypto::IfAbsent::create : crypto::IfAbsent::fail, options.cipher);
    if (!opened && opened.error().code == Errc::not_found)
        return Error{Errc::not_found, "there is no store in the records' folder",
                     "mount the records' disk; on a new box, put an empty file make-store into the folder"};
    if (!opened) return opened.error();
    vfs = std::move(*opened);
    const auto marked = take_closed_mark(database()); // with the right key, and before a page is written
    CLINIC_TRY(marked);
    was_closed = *marked && wal_is_empty;
    const auto& uuid = vfs->store();
    shared.uuid.assign(uuid.begin(), uuid.end());
    shared.index_key = vfs->subkey(index_id);
    shared.quarantine_key = vfs->subkey(quarantine_id);
    shared.unowned_key = vfs->subkey(unowned_id);
    auto connected = Connection::open(database(), vfs->name(), Role::writer, options.cache.writer_kib);
    if (!connected) return connected.error();
    writing = std::move(*connected);
    // What a long reader made of the WAL's file goes when the WAL begins anew, not only when the box is idle.
    const auto bound = options.wal_pages_max * static_cast<std::int64_t>(crypto::frame_bytes);
    return writing->run_script(("PRAGMA journal_size_limit=" + std::to_string(bound)).c_str());
}

Result<void> Store::State::open_schema(bool had_keys) {
    const auto version = schema_version(*writing);
    if (!version) return version.error();
    // The keystore is made after the first migration is durable: it can't be there before the tables.
    if (*version == 0 && had_keys)
        return Error{Errc::conflict, "the database is empty and its keystore is there",
                     "restore records.db from a backup"};
    CLINIC_TRY(migrate(*writing));
    schema = schema_version_known;
    CLINIC_TRY(check_pages());
    const auto emptied = writing->checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
    if (!emptied) return emptied.error();
    return {};
}

// Damage shows before work begins: of a larger store as far as time allows, unless damage was found before. Where that
// store was not closed in order, or the end of its WAL did not open, the check of the whole begins at once, and the box
// serves meanwhile; so it does where damage was found, which may have been mended since.
Result<void> Store::State::check_pages() {
    SessionCore core{*writing, shared};
    Snapshot snapshot{core, clock};
    const auto found_before = setting(snapshot, damage_setting);
    CLINIC_TRY(found_before);
    doubted = found_before->has_value();
    // A checkpoint that a power cut ended left pages that are whole in the WAL alone.
    if (doubted) CLINIC_TRY(writing->checkpoint(SQLITE_CHECKPOINT_TRUNCATE));
    const auto before = vfs->authentication_failures(), refused_before = vfs->refused_reads();
    const auto checked = check_at_open(*writing, {.everything = doubted});
    // SQLite's check lists a page that cannot be read, or did not open, beside those that make no sense.
    if (!checked && vfs->refused_reads() > refused_before)
        return Error{Errc::system, "the machine refuses to read the records' files",
                     "look at the records' disk: is it mounted and healthy?"};
    if (!checked && vfs->authentication_failures() > before)
        return Error{Errc::tampered, "a page of the store does not open", damage_remedy};
    CLINIC_TRY(checked);
    const auto place = check_place(snapshot);
    CLINIC_TRY(place);
    const bool is_well =
        (was_closed || *checked) && vfs->recovery_failures() == 0 && place->last_sound && place->people_damaged() == 0;
    if (is_well) return {};
    // A disk that is full keeps nobody from the records: the reserve is given back by who writes.
    if (const auto again = check_again(*writing, *place, clock.now()); !again)
        base::log(base::Level::warning, "records: the check of the store begins when it is due", again.error());
    return {};
}

// An absent keystore is made only while no patient ever had a key.
Result<void> Store::State::open_keys() {
    const auto patients = writing->number("SELECT EXISTS (SELECT 1 FROM patient)");
    if (!patients) return patients.error();
    const auto if_absent = *patients == 0 ? crypto::IfAbsent::create : crypto::IfAbsent::fail;
    auto opened = crypto::Keystore::open(keys_file(), vfs->subkey(wrapping_id), vfs->store(), if_absent);
    if (!opened && opened.error().code == Errc::not_found)
        return Error{Errc::conflict, "the database is there and its keystore is not",
                     "restore keys.db from its backup"};
    if (!opened) return opened.error();
    shared.keys = std::move(*opened);
    return {};
}

// An erasure that was committed and whose key outlived a crash, whole or with a part of its mark over it.
Result<void> Store::State::finish_erasures() {
    static_assert(static_cast<int>(PatientStatus::erased) == 3); // as the index patient_erased has it
    auto erased = writing->prepare("SELECT key_slot FROM patient WHERE status = 3");
    if (!erased) return erased.error();
    for (;;) {
        const auto row = erased->step();
        if (!row) return row.error();
        if (!*row) return {};
        const crypto::SlotId slot{erased->integer(0)};
        const auto key = shared.keys->key(slot);
        if (key || key.error().code == Errc::tampered) CLINIC_TRY(shared.keys->erase(slot));
    }
}

Result<void> Store::State::open_readers() {
    const int cache_kib = options.cache.readers_kib / static_cast<int>(options.readers_max);
    for (std::size_t i = 0; i < options.readers_max; ++i) {
        auto reader = Connection::open(database(), vfs->name(), Role::reader, cache_kib);
        if (!reader) return reader.error();
        (*reader)->close_the_door();
        (*reader)->watch(&slow);
        readers.add(std::move(*reader));
    }
    return {};
}

// The snapshot is taken here, where nobody writes yet: see IdentifierIndex::load.
Result<std::optional<std::int64_t>> Store::State::load_identifiers() {
    shared.identifiers = std::make_unique<IdentifierIndex>(shared.index_key);
    auto reader = Connection::open(database(), vfs->name(), Role::reader, loading_cache_kib);
    if (!reader) return reader.error();
    loading = std::move(*reader);
    loading->close_the_door();
    CLINIC_TRY(loading->run("BEGIN"));
    auto next = load_slice(0, options.identifier_rows_at_open);
    while (doubted && next && *next) next = load_slice(**next, identifier_rows_a_slice);
    return next;
}

Result<std::optional<std::int64_t>> Store::State::load_slice(std::int64_t after, std::int64_t rows_max) {
    if (!loading->in_transaction()) return Error{Errc::corrupt, "the snapshot of the identifiers has ended"};
    SessionCore core{*loading, shared};
    Snapshot snapshot{core, clock};
    const auto next = shared.identifiers->load(snapshot, after, rows_max);
    if (next && !*next) loading.reset(); // a snapshot that stays keeps the WAL from being emptied
    if (!next && is_damage(next.error().code))
        return Error{next.error().code,
                     "identifiers of the last check do not open, so nothing may leave",
                     damage_remedy,
                     {},
                     next.error().native};
    return next;
}

Store::Store(std::unique_ptr<State> state) : state_{std::move(state)} {}

Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options, const crypto::KeySlot& slot,
                                           const Clock& clock) {
    auto state = std::make_unique<State>(options, clock);
    CLINIC_TRY(state->open(slot));
    return std::unique_ptr<Store>{new Store{std::move(state)}};
}

bool Store::post(Job job, Done done, std::optional<base::Micros> heard_at) {
    return state_->writer->post(std::move(job), std::move(done), heard_at.value_or(monotonic()));
}

Result<void> Store::write(Job job) {
    assert(!state_->writer->is_this_thread()); // it would wait for itself
    // Shared: the writer may still be inside set_value when we go on.
    const auto promise = std::make_shared<std::promise<Result<void>>>();
    auto told = promise->get_future();
    if (!post(std::move(job), [promise](const Result<void>& result) { promise->set_value(result); }))
        return Error{Errc::full, "the store's queue is full", "try again in a moment"};
    return told.get();
}

Result<void> Store::read(const std::function<Result<void>(Snapshot&)>& query) {
    const auto borrowed = Borrowed::from(state_->readers);
    CLINIC_TRY(borrowed);
    Connection& reader = **borrowed;
    SessionCore core{reader, state_->shared};
    CLINIC_TRY(reader.run("BEGIN"));
    // The snapshot is taken by the first read: from here on the cache and the database tell of one moment.
    CLINIC_TRY(reader.number("SELECT count(*) FROM setting WHERE key = ''"));
    Snapshot snapshot{core, state_->clock};
    CLINIC_TRY(query(snapshot));
    return reader.run("COMMIT");
}

std::vector<StatementUse> Store::statements() const {
    std::vector<StatementUse> all;
    state_->writing->add_use(all);
    state_->readers.add_use(all);
    return all;
}

Result<std::vector<Advice>> Store::advise(Which which) {
    const auto borrowed = Borrowed::from(state_->readers);
    CLINIC_TRY(borrowed);
    return records::advise((**borrowed).handle(), statements(), which);
}

bool Store::takes_records() const {
    return !state_->writer->is_full();
}

void Store::on_change(std::function<void()> listener) {
    state_->writer->listen(std::move(listener));
}

base::Micros Store::monotonic() const {
    return state_->clock.monotonic();
}

StoreNumbers Store::numbers() const {
    StoreNumbers numbers;
    const Writer& writer = *state_->writer;
    numbers.commits = writer.commits();
    numbers.jobs = writer.jobs();
    numbers.jobs_failed = writer.jobs_failed();
    numbers.authentication_failures = state_->vfs->authentication_failures();
    numbers.database_bytes = bytes_of(state_->database());
    numbers.wal_bytes = bytes_of(state_->database().string() + "-wal");
    numbers.schema_version = state_->schema;
    numbers.free_key_slots = state_->shared.keys->free_slots(crypto::SlotId{writer.highest_slot()});
    numbers.write_failure = writer.write_failure();
    numbers.reads = state_->readers.reads();
    numbers.reads_cut = state_->readers.reads_cut();
    numbers.reads_refused = state_->readers.reads_refused();
    numbers.longest_read_us = state_->readers.longest_us();
    numbers.cache_hits = state_->shared.rows->hits();
    numbers.cache_misses = state_->shared.rows->misses();
    numbers.cache_rows = state_->shared.rows->rows();
    numbers.slow_statements = state_->slow.count();
    numbers.reserve_bytes = writer.reserve_held();
    numbers.was_closed = state_->was_closed;
    return numbers;
}

Result<std::unique_ptr<Connection>> Store::checker() const {
    return Connection::open(state_->database(), state_->vfs->name(), Role::reader, checker_cache_kib);
}

std::mutex& Store::no_checkpoint() const {
    return state_->writer->no_checkpoint();
}

Result<crypto::KeystoreFindings> Store::look_at_keys(crypto::SlotId first, std::int64_t slots_max) {
    return state_->shared.keys->look(first, slots_max);
}

bool Store::wal_is_long() const {
    const auto bound = 2 * state_->options.wal_pages_max * static_cast<std::int64_t>(crypto::slot_bytes);
    return bytes_of(state_->database().string() + "-wal") > bound;
}

const IdentifierIndex& Store::identifiers() const {
    return *state_->shared.identifiers;
}

crypto::KeyTable& Store::keys() {
    return state_->vfs->keys();
}

const crypto::Bytes& Store::store_uuid() const {
    return state_->shared.uuid;
}

} // namespace clinic::records
