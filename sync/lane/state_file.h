// What clinic-syncd remembers of its own: numbers, sealed with its own credential. Never an envelope.
//   Format:  docs/mqtt.md, "Numbers that survive a restart".
//   Errors:  locked (no credential), system, full. A file that does not open is set aside and counting starts higher.
//   Threads: any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>

#include "crypto/base/clock.h"
#include "crypto/base/result.h"
#include "crypto/key_slot.h"
#include "sync/lane/sealed_file.h"

namespace clinic::lane {

class StateFile {
public:
    // In `folder`, which exists. Numbers that were never stored begin at the clock's seconds, so that they stay above
    // whatever a lost file had counted to.
    static Result<std::unique_ptr<StateFile>> open(const std::filesystem::path& folder, crypto::KeySlot credential,
                                                   const Clock& clock);

    ~StateFile(); // gives back what was set aside and not used

    // Durable before they are handed out; each is greater than the one before. Sequence numbers are set aside some
    // hundred at a time, so that a box that says only that it is well writes next to nothing: a stop that is not clean
    // skips the rest of them.
    Result<std::int64_t> next_session();
    Result<std::int64_t> next_sequence() { return next_sequences(1); }
    Result<std::int64_t> next_sequences(std::size_t count); // so many in a row; the first of them

private:
    struct Numbers {
        std::int64_t session = 0, sequence = 0; // of the file: the highest that may have been handed out
    };
    explicit StateFile(SealedFile file) : file_{std::move(file)} {}
    Result<Numbers> read() const; // not_found: there is none
    Result<void> write(const Numbers& numbers) const;

    SealedFile file_;
    std::mutex mutex_;
    Numbers numbers_;             // as the file has them
    std::int64_t handed_out_ = 0; // of the sequence
};

} // namespace clinic::lane
