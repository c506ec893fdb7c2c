#include "daemon/records/writer.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "crypto/base/log.h"
#include "crypto/base/process.h"
#include "daemon/records/closed_mark.h"

namespace clinic::records {
namespace {

constexpr std::chrono::milliseconds idle_after{2'000}; // nothing written for so long: the WAL may be emptied
// A few pages stay for an hour: each emptying writes them once more, and a box that is only asked how it is writes a
// few every five minutes.
constexpr int few_pages = 64;
constexpr std::chrono::hours few_pages_stay{1};
constexpr std::chrono::milliseconds probe_after{1'000}; // while nothing can be committed
constexpr std::chrono::seconds beat_after{10};          // with nothing to do, so that it is seen to be well
constexpr base::Micros failure_logged_each = std::chrono::seconds{60};

// What a person is told of what could not be written: SQLite's own words are of no use to anybody.
Error for_people(const Error& error) {
    if (error.code == Errc::full)
        return {Errc::full,
                "there is no room left on the records' disk",
                "make room on the records' disk: intake goes on by itself when 8 MB are free",
                {},
                error.native};
    if (error.code == Errc::system)
        return {Errc::system,
                "the machine refuses to write the records' files",
                "look at the records' disk: is it mounted, writable and healthy?",
                {},
                error.native};
    return error;
}

// A job that found no room on the disk by itself, where others of its group did.
bool found_no_room(const Error& error) {
    const int native = error.native & 0xff;
    return error.code == Errc::full && (native == SQLITE_FULL || native == SQLITE_IOERR);
}

Result<void> call(const Store::Job& job, Transaction& transaction) {
    try {
        return job(transaction);
    } catch (const std::exception&) {
        return Error{Errc::system, "a job of the store threw an exception"};
    }
}

} // namespace

Writer::Writer(Connection& connection, Shared& shared, const StoreOptions& options, const Clock& clock)
    : connection_{connection}, shared_{shared}, options_{options}, clock_{clock}, reserve_{options.folder} {
    reserve_.take();
    sqlite3_wal_hook(
        connection_.handle(),
        [](void* self, sqlite3*, const char*, int in_wal) {
            static_cast<Writer*>(self)->in_wal(in_wal);
            return SQLITE_OK;
        },
        this);
    if (const auto highest = connection_.number("SELECT coalesce(max(key_slot), 0) FROM patient"))
        highest_slot_ = *highest;
    thread_ = std::jthread{[this](const std::stop_token& stop) { run(stop); }};
}

Writer::~Writer() {
    {
        const std::scoped_lock lock{mutex_};
        closing_ = true;
    }
    thread_.request_stop();
    thread_.join();
    if (checkpoint(SQLITE_CHECKPOINT_TRUNCATE) && !shared_.damage_found)
        if (const auto marked = put_closed_mark(options_.database()); !marked)
            base::log(base::Level::warning, "records: the next start checks longer", marked.error());
    sqlite3_wal_hook(connection_.handle(), nullptr, nullptr);
}

bool Writer::post(Store::Job job, Store::Done done, base::Micros heard_at) {
    {
        const std::scoped_lock lock{mutex_};
        if (closing_ || queue_.size() >= options_.queue_jobs_max) return false;
        queue_.push_back({std::move(job), std::move(done), heard_at});
    }
    ready_.notify_one();
    return true;
}

void Writer::run(const std::stop_token& stop) {
    base::name_this_thread("store-writer");
    for (;;) {
        const auto group = next_group(stop);
        if (group.empty()) {
            if (stop.stop_requested()) return;
            if (failing_ || has_to_tidy()) tidy();
            if (failing_) probe();
            continue;
        }
        commit_group(group);
        if (wal_pages_ >= options_.wal_pages_max)
            checkpoint(SQLITE_CHECKPOINT_PASSIVE);
        else if (has_to_tidy() && Steady::now() - written_at_ >= idle_after)
            tidy(); // there are questions each second, which write nothing
    }
}

void Writer::in_wal(int pages) {
    written_at_ = Steady::now();
    if (wal_pages_ == 0) wal_since_ = written_at_;
    wal_pages_ = pages;
    wal_peak_ = std::max(wal_peak_, pages);
}

bool Writer::has_to_tidy() const {
    return !keys_to_erase_.empty() || wal_peak_ > few_pages ||
           (wal_pages_ > 0 && Steady::now() - wal_since_ >= few_pages_stay);
}

// On a full disk it gives the WAL's room back.
void Writer::tidy() {
    erase_keys();
    checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
    written_at_ = Steady::now(); // a reader may have been in the way: not again at once
}

// Empty: idle, or the end of all work.
std::vector<Writer::Posted> Writer::next_group(const std::stop_token& stop) {
    std::unique_lock lock{mutex_};
    const auto has_work = [this] { return !queue_.empty(); };
    if (failing_)
        ready_.wait_for(lock, stop, probe_after, has_work);
    else if (has_to_tidy())
        ready_.wait_for(lock, stop, idle_after, has_work);
    else
        ready_.wait_for(lock, stop, beat_after, has_work);
    options_.pulse.beat();
    std::vector<Posted> group;
    group.reserve(std::min(queue_.size(), options_.batch_jobs_max));
    while (!queue_.empty() && group.size() < options_.batch_jobs_max) {
        group.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    return group;
}

void Writer::commit_group(const std::vector<Posted>& group) {
    std::vector<Outcome> outcomes;
    outcomes.reserve(group.size());
    const auto committed = run_group(group, outcomes);
    if (!committed && connection_.in_transaction()) {
        if (const auto undone = connection_.run("ROLLBACK"); !undone)
            base::log(base::Level::error, "records", undone.error());
    }
    shared_.rows->end_group(committed && *committed); // before anybody hears that it is durable
    note(committed, group.size());
    if (!committed) {
        outcomes.clear();
        for (std::size_t i = 0; i < group.size(); ++i) outcomes.push_back({for_people(committed.error())});
    } else {
        after_commit(outcomes);
        tell_listener();
    }
    jobs_ += group.size();
    for (std::size_t i = 0; i < group.size(); ++i) {
        if (!outcomes[i].result) ++jobs_failed_;
        if (group[i].done) group[i].done(outcomes[i].result);
    }
}

// What becomes of groups is news when it changes; a disk that stays full is a line of log a minute.
void Writer::note(const Result<bool>& committed, std::size_t jobs) {
    const base::Micros now = clock_.monotonic();
    if (!committed && (!failure_logged_at_ || now - *failure_logged_at_ >= failure_logged_each)) {
        failure_logged_at_ = now;
        base::log(base::Level::error, "records: a group was not committed", committed.error(),
                  {{"jobs", static_cast<std::int64_t>(jobs)}});
    }
    if (!committed && committed.error().code == Errc::full) {
        full_ = true;
        reserve_.give_back();
    }
    if (committed && !*committed) return; // nothing was to be written: that says nothing of the disk
    if (committed && still_full()) return;
    if (committed && failing_) {
        failure_logged_at_.reset();
        base::log(base::Level::notice, "records", "the store can be written again");
    }
    failing_ = !committed.has_value();
    if (committed) full_ = false;
    const std::scoped_lock lock{mutex_};
    failure_ = committed ? std::nullopt : std::optional{for_people(committed.error())};
}

// A little fits often where a group does not, and the reserve's room is for bookkeeping alone.
bool Writer::still_full() {
    return full_ && !reserve_.recovered();
}

std::optional<Error> Writer::write_failure() const {
    const std::scoped_lock lock{mutex_};
    return failure_;
}

void Writer::probe() {
    if (still_full()) return;
    commit_group({{[](Transaction& transaction) {
                       return set_setting(transaction, "write_probe", std::to_string(transaction.now().micros));
                   },
                   {},
                   clock_.monotonic()}});
}

// An error: nothing of the group is in the database.
Result<bool> Writer::run_group(const std::vector<Posted>& group, std::vector<Outcome>& outcomes) {
    CLINIC_TRY(connection_.run("BEGIN IMMEDIATE"));
    bool any = false;
    for (const auto& posted : group) {
        options_.pulse.beat();
        auto outcome = run_job(posted);
        if (!outcome) return outcome.error();
        any = any || outcome->result.has_value();
        outcomes.push_back(std::move(*outcome));
    }
    if (!any) {
        CLINIC_TRY(connection_.run("ROLLBACK"));
        return false;
    }
    options_.pulse.beat();
    CLINIC_TRY(connection_.run("COMMIT"));
    options_.pulse.beat();
    ++commits_;
    return true;
}

// An error here is one of the savepoint or of the whole transaction: what the job wrote could not be kept apart.
Result<Writer::Outcome> Writer::run_job(const Posted& posted) {
    CLINIC_TRY(connection_.run("SAVEPOINT job"));
    SessionCore core{connection_, shared_, true};
    Transaction transaction{core, clock_};
    transaction.heard_at_ = posted.heard_at;
    const auto result = call(posted.job, transaction);
    // SQLite undoes the whole transaction by itself after some failures of the disk or of memory.
    if (!connection_.in_transaction())
        return result ? Error{Errc::system, "the transaction ended within a job"} : result.error();
    if (!result) {
        CLINIC_TRY(connection_.run("ROLLBACK TO job"));
        shared_.rows->undone();
    }
    CLINIC_TRY(connection_.run("RELEASE job"));
    if (!result) return Outcome{found_no_room(result.error()) ? for_people(result.error()) : result.error()};
    if (core.slot_taken > highest_slot_) highest_slot_ = core.slot_taken;
    return Outcome{result, std::move(core.hooks), std::move(core.keys_to_erase)};
}

void Writer::after_commit(std::vector<Outcome>& outcomes) {
    for (auto& outcome : outcomes) {
        for (const auto& hook : outcome.hooks) hook();
        keys_to_erase_.insert(keys_to_erase_.end(), outcome.keys_to_erase.begin(), outcome.keys_to_erase.end());
    }
    erase_keys();
}

void Writer::listen(std::function<void()> listener) {
    const std::scoped_lock lock{listening_};
    listener_ = std::move(listener);
}

void Writer::tell_listener() {
    const auto changes = static_cast<std::int64_t>(sqlite3_total_changes64(connection_.handle()));
    if (std::exchange(changes_told_, changes) == changes) return;
    const std::scoped_lock lock{listening_};
    if (listener_) listener_();
}

// What the keystore cannot do now is done when idle, and at the next open.
void Writer::erase_keys() {
    std::erase_if(keys_to_erase_, [this](std::int64_t slot) {
        const auto erased = shared_.keys->erase(crypto::SlotId{slot});
        if (!erased) base::log(base::Level::error, "records: a key was not erased yet", erased.error());
        return erased.has_value();
    });
}

bool Writer::checkpoint(int mode) {
    const std::scoped_lock lock{checkpointing_};
    options_.pulse.beat();
    const auto left = connection_.checkpoint(mode);
    options_.pulse.beat();
    if (!left) base::log(base::Level::error, "records: checkpoint", left.error());
    if (mode == SQLITE_CHECKPOINT_TRUNCATE) {
        wal_pages_ = left ? static_cast<int>(*left) : 0; // failed: after the next commit
        if (wal_pages_ == 0) wal_peak_ = 0;              // a reader in the way: its file is as long as before
    }
    return left && *left == 0;
}

} // namespace clinic::records
