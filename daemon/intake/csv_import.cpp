#include "daemon/intake/csv_import.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "daemon/audit/trail.h"
#include "daemon/intake/csv_lines.h"
#include "daemon/intake/feed_books.h"
#include "daemon/intake/ingest.h"
#include "daemon/records/quarantine.h"
#include "daemon/records/seen.h"

namespace clinic::intake {
namespace {

constexpr std::size_t under_way_max = 256;           // one group commit, and room for the feeds
constexpr std::chrono::milliseconds retry_after{20}; // the queue was full of others' jobs
constexpr std::chrono::seconds give_up_after{60};

// One record on its way: made by the caller's thread, then the writer thread's alone.
struct Work {
    int line = 0;
    base::Micros heard_at{}; // when the line was read
    std::string raw;
    CsvOrder order;
    records::MessageKey key;
    crypto::Digest body{};
    std::optional<ImportFault> fault;
    Booked booked = Booked::stored;
};

Literal entry_name(ImportKind kind) {
    switch (kind) {
    case ImportKind::patients: return "csv patients";
    case ImportKind::appointments: return "csv appointments";
    case ImportKind::consents: return "csv consents";
    }
    return "";
}

class Import {
public:
    Import(records::Store& store, release::Releaser& releaser, ImportKind kind, std::int64_t operator_uid)
        : store_{store}, releaser_{releaser}, kind_{kind}, operator_uid_{operator_uid} {}

    Result<Timestamp> now();
    Result<void> run(CsvReader& reader, const CsvColumns& columns);
    ImportReport report();

private:
    std::shared_ptr<Work> work_of(const CsvColumns& columns, const CsvRecord& record, Timestamp at) const;
    void post(const std::shared_ptr<Work>& work);
    bool try_post(const std::shared_ptr<Work>& work);
    Result<void> write(records::Transaction& txn, Work& work);
    Result<void> keep_apart(records::Transaction& txn, Work& work);
    void failed(const std::shared_ptr<Work>& work, const Error& error);
    void refuse(const std::shared_ptr<Work>& work);
    void ended(const Work& work);

    records::Store& store_;
    release::Releaser& releaser_;
    const ImportKind kind_;
    const std::int64_t operator_uid_;
    std::mutex mutex_;
    std::condition_variable room_;
    std::size_t under_way_ = 0;
    ImportReport report_;
};

Result<Timestamp> Import::now() {
    Timestamp at;
    CLINIC_TRY(store_.read([&at](records::Snapshot& snapshot) -> Result<void> {
        at = snapshot.now();
        return {};
    }));
    return at;
}

std::shared_ptr<Work> Import::work_of(const CsvColumns& columns, const CsvRecord& record, Timestamp at) const {
    auto work = std::make_shared<Work>();
    CsvReading reading = read_line(kind_, columns, record, at);
    work->line = record.line;
    work->heard_at = store_.monotonic();
    work->raw = std::string{record.raw};
    work->fault = reading.fault;
    work->order = std::move(reading.order);
    const std::string content = columns.canonical(record);
    work->body = crypto::digest(base::as_bytes(content));
    // A consent is a fact of its day, and each of its lines stays. The others describe a thing: its newest line counts.
    const std::string subject = kind_ == ImportKind::consents ? crypto::hex(work->body) : work->order.key;
    work->key = {entry_name(kind_).c_str(), subject, work->order.sender};
    return work;
}

Result<void> Import::run(CsvReader& reader, const CsvColumns& columns) {
    const auto at = now();
    if (!at) return at.error();
    while (const auto record = reader.next()) post(work_of(columns, *record, *at));
    std::unique_lock lock{mutex_};
    room_.wait(lock, [this] { return under_way_ == 0; });
    return {};
}

void Import::post(const std::shared_ptr<Work>& work) {
    std::unique_lock lock{mutex_};
    ++report_.received;
    const auto until = std::chrono::steady_clock::now() + give_up_after;
    do {
        room_.wait(lock, [this] { return under_way_ < under_way_max; });
        ++under_way_;
        lock.unlock();
        const bool posted = try_post(work);
        lock.lock();
        if (posted) return;
        --under_way_;
        room_.wait_for(lock, retry_after);
    } while (std::chrono::steady_clock::now() < until);
    ++report_.refused;
    report_.faults.push_back({work->line, "", "the store has no room for more work", "import the file again"});
}

bool Import::try_post(const std::shared_ptr<Work>& work) {
    if (!store_.takes_records()) { // what room a full disk has left is for bookkeeping
        work->fault = ImportFault{work->line, "", "there is no room left on the box's disk",
                                  "import the file again when there is room"};
        refuse(work);
        return true;
    }
    const auto job = [this, work](records::Transaction& txn) {
        return work->fault ? keep_apart(txn, *work) : write(txn, *work);
    };
    const auto done = [this, work](const Result<void>& result) {
        if (!result) return failed(work, result.error());
        ended(*work);
    };
    return store_.post(job, done, work->heard_at);
}

Result<void> Import::write(records::Transaction& txn, Work& work) {
    work.booked = Booked::stored;
    const auto seen = records::find_seen(txn, work.key);
    if (!seen) return seen.error();
    if (*seen && (*seen)->body == work.body) {
        work.booked = Booked::duplicate;
        return book(txn, feed_csv, Booked::duplicate);
    }
    const auto why = audit::Trail::append(txn, {audit::Actor::operator_, operator_uid_, audit::Action::import,
                                                audit::Purpose::operations, entry_name(kind_)});
    if (!why) return why.error();
    CLINIC_TRY(write_line(txn, *why, releaser_, work.order));
    CLINIC_TRY(records::remember_seen(txn, work.key, work.body, "stored"));
    return book(txn, feed_csv, Booked::stored);
}

Result<void> Import::keep_apart(records::Transaction& txn, Work& work) {
    work.booked = Booked::quarantined;
    const auto entry = audit::Trail::append(txn, {audit::Actor::operator_, operator_uid_, audit::Action::quarantine,
                                                  audit::Purpose::operations, entry_name(kind_)});
    if (!entry) return entry.error();
    const Error reason{Errc::malformed, work.fault->what, work.fault->remedy, {.line = work.line}};
    const auto item = records::quarantine(txn, feed_csv.c_str(), reason, work.raw);
    if (!item) return item.error();
    return book(txn, feed_csv, Booked::quarantined);
}

// On the writer thread. A record that the store did not take goes to the quarantine; one that cannot go there is
// refused.
void Import::failed(const std::shared_ptr<Work>& work, const Error& error) {
    if (!work->fault) {
        const bool by_number = error.code == Errc::not_found || error.code == Errc::conflict;
        Literal column = "";
        if (by_number) column = "record_number"; // clang 14 falls over a choice of Literals in the initializer
        Literal remedy = error.remedy;
        if (*remedy.c_str() == '\0') remedy = "import the file again";
        work->fault = ImportFault{work->line, column, error.what, remedy};
        if (try_post(work)) return;
    }
    refuse(work);
}

void Import::refuse(const std::shared_ptr<Work>& work) {
    work->booked = Booked::refused;
    const auto done = [this, work](const Result<void>&) { ended(*work); }; // the report says what the books say
    if (store_.post([](records::Transaction& txn) { return book(txn, feed_csv, Booked::refused); }, done)) return;
    work->fault->remedy = "import the file again";
    ended(*work);
}

void Import::ended(const Work& work) {
    const std::scoped_lock lock{mutex_};
    switch (work.booked) {
    case Booked::stored: ++report_.stored; break;
    case Booked::duplicate: ++report_.duplicate; break;
    case Booked::quarantined: ++report_.quarantined; break;
    case Booked::refused: ++report_.refused; break;
    }
    if (work.fault && report_.faults.size() < import_faults_max) report_.faults.push_back(*work.fault);
    --under_way_;
    room_.notify_all();
}

ImportReport Import::report() {
    const std::scoped_lock lock{mutex_};
    std::stable_sort(report_.faults.begin(), report_.faults.end(),
                     [](const ImportFault& a, const ImportFault& b) { return a.line < b.line; });
    return std::move(report_);
}

Result<void> check_size(std::string_view text) {
    constexpr Error too_long{Errc::full, "the file is longer than an import takes", "split it"};
    if (text.size() > csv_bytes_max) return too_long;
    if (std::count(text.begin(), text.end(), '\n') > csv_records_max) return too_long;
    return {};
}

} // namespace

std::optional<ImportKind> import_kind(std::string_view name) {
    if (name == "patients") return ImportKind::patients;
    if (name == "appointments") return ImportKind::appointments;
    if (name == "consents") return ImportKind::consents;
    return std::nullopt;
}

Result<ImportReport> import_csv(records::Store& store, release::Releaser& releaser, ImportKind kind,
                                std::string_view text, std::int64_t operator_uid) {
    CLINIC_TRY(check_size(text));
    CsvReader reader{text};
    const auto header = reader.next();
    if (!header) return Error{Errc::malformed, "the file is empty", "write a header line"};
    const auto columns = CsvColumns::read(kind, *header);
    if (!columns) return columns.error();
    Import import{store, releaser, kind, operator_uid};
    CLINIC_TRY(import.run(reader, *columns));
    return import.report();
}

std::string to_json(const ImportReport& report) {
    nlohmann::json faults = nlohmann::json::array();
    for (const auto& fault : report.faults)
        faults.push_back({{"line", fault.line},
                          {"column", fault.column.c_str()},
                          {"what", fault.what.c_str()},
                          {"remedy", fault.remedy.c_str()}});
    return base::dump_json({{"received", report.received},
                            {"stored", report.stored},
                            {"duplicate", report.duplicate},
                            {"quarantined", report.quarantined},
                            {"refused", report.refused},
                            {"faults", std::move(faults)}});
}

} // namespace clinic::intake
