#include "daemon/records/readers.h"

#include <algorithm>
#include <utility>

#include "crypto/base/log.h"

namespace clinic::records {

void Readers::add(std::unique_ptr<Connection> reader) {
    free_.push_back(reader.get());
    all_.push_back(std::move(reader));
}

void Readers::add_use(std::vector<StatementUse>& all) const {
    for (const auto& reader : all_) reader->add_use(all);
}

Result<Connection*> Readers::borrow() {
    std::unique_lock lock{mutex_};
    if (!returned_.wait_for(lock, wait_max_, [this] { return !free_.empty(); })) {
        ++reads_refused_;
        return Error{Errc::timeout, "no reader of the store became free in time", "try again in a moment"};
    }
    Connection* reader = free_.back();
    free_.pop_back();
    reader->end_by(CoarseClock::now() + snapshot_max_);
    return reader;
}

void Readers::give_back(Connection& reader, std::chrono::steady_clock::duration kept, bool cut) {
    const auto kept_us = std::chrono::duration_cast<std::chrono::microseconds>(kept).count();
    {
        const std::scoped_lock lock{mutex_};
        ++reads_;
        if (cut) ++reads_cut_;
        longest_us_ = std::max<std::int64_t>(longest_us_, kept_us);
        free_.push_back(&reader);
    }
    returned_.notify_one();
}

Result<Borrowed> Borrowed::from(Readers& readers) {
    auto reader = readers.borrow();
    if (!reader) return reader.error();
    return Borrowed{readers, **reader};
}

Borrowed::Borrowed(Borrowed&& other) noexcept
    : readers_{other.readers_}, reader_{std::exchange(other.reader_, nullptr)}, since_{other.since_} {}

Borrowed::~Borrowed() {
    if (reader_ == nullptr) return;
    const bool cut = reader_->was_cut();
    if (reader_->in_transaction()) {
        reader_->end_by(std::nullopt); // its end is no part of what took too long
        if (const auto ended = reader_->run("ROLLBACK"); !ended)
            base::log(base::Level::error, "records", ended.error());
    }
    readers_.give_back(*reader_, std::chrono::steady_clock::now() - since_, cut);
}

} // namespace clinic::records
