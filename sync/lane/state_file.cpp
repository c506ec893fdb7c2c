#include "sync/lane/state_file.h"

#include <nlohmann/json.hpp>

#include "crypto/base/log.h"

namespace clinic::lane {
namespace {

constexpr std::int64_t set_aside = 240;                      // an hour of metrics
constexpr std::string_view purpose = "clinic-syncd state 1"; // associated data

} // namespace

Result<StateFile::Numbers> StateFile::read() const {
    const auto json = file_.read();
    if (!json) return json.error();
    if (!json->is_object() || json->size() != 2 || !json->value("session", nlohmann::json{}).is_number_unsigned() ||
        !json->value("sequence", nlohmann::json{}).is_number_unsigned())
        return Error{Errc::corrupt, "the state file does not hold its numbers"};
    return Numbers{json->at("session").get<std::int64_t>(), json->at("sequence").get<std::int64_t>()};
}

Result<void> StateFile::write(const Numbers& numbers) const {
    return file_.write({{"session", numbers.session}, {"sequence", numbers.sequence}});
}

Result<std::unique_ptr<StateFile>> StateFile::open(const std::filesystem::path& folder, crypto::KeySlot credential,
                                                   const Clock& clock) {
    std::unique_ptr<StateFile> file{new StateFile{{folder / "state.sealed", std::move(credential), purpose}}};
    if (const auto numbers = file->read()) {
        file->numbers_ = *numbers;
        file->handed_out_ = numbers->sequence;
        return file;
    } else if (numbers.error().code == Errc::system) {
        return numbers.error();
    } else if (numbers.error().code != Errc::not_found) {
        base::log(base::Level::error, "state",
                  {numbers.error().code, "the state file does not open and is set aside",
                   "was `credential` changed? counting goes on above it, nothing else is lost"});
        CLINIC_TRY(file->file_.set_aside());
    }
    // A clock that lies before this release would begin below what had been counted.
    const auto start = std::max(base::this_release, clock.now()).micros / 1'000'000;
    file->numbers_ = {start, start};
    CLINIC_TRY(file->write(file->numbers_));
    file->handed_out_ = start;
    return file;
}

StateFile::~StateFile() {
    if (handed_out_ == numbers_.sequence) return;
    if (const auto kept = write({numbers_.session, handed_out_}); !kept)
        base::log(base::Level::warning, "state", kept.error());
}

Result<std::int64_t> StateFile::next_session() {
    const std::lock_guard lock{mutex_};
    Numbers next{numbers_.session + 1, numbers_.sequence};
    CLINIC_TRY(write(next));
    numbers_ = next;
    return next.session;
}

Result<std::int64_t> StateFile::next_sequences(std::size_t count) {
    const std::lock_guard lock{mutex_};
    const std::int64_t first = handed_out_ + 1, last = handed_out_ + static_cast<std::int64_t>(count);
    if (last > numbers_.sequence) {
        const Numbers next{numbers_.session, last + set_aside};
        CLINIC_TRY(write(next));
        numbers_ = next;
    }
    handed_out_ = last;
    return first;
}

} // namespace clinic::lane
