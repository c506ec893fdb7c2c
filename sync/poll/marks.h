// How far the polling has come: the newest `dateUpdated` whose fact clinicd holds durably.
//   Errors:  system, full. A file that does not open is set aside, and all is read once more: clinicd knows it.
//   Threads: one.
#pragma once

#include "sync/lane/sealed_file.h"

namespace clinic::poll {

class Marks {
public:
    static Result<Marks> open(lane::SealedFile file);

    std::int64_t contacts_ms() const { return contacts_ms_; }
    Result<void> move_contacts(std::int64_t to_ms); // durable on return; never backwards

private:
    Marks(lane::SealedFile file, std::int64_t contacts_ms) : file_{std::move(file)}, contacts_ms_{contacts_ms} {}

    lane::SealedFile file_;
    std::int64_t contacts_ms_ = 0;
};

} // namespace clinic::poll
