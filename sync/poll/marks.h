// How far the polling has come: the newest `dateUpdated` whose fact clinicd holds durably, and whether all until then
// were read while identifiers might be asked about. Of one location of GHL's: another one is read from its beginning.
//   Errors:  system, full. A file that does not open is set aside, and all is read once more: clinicd knows it.
//   Threads: one.
#pragma once

#include <string>

#include "sync/lane/sealed_file.h"

namespace clinic::poll {

class Marks {
public:
    static Result<Marks> open(lane::SealedFile file, std::string location);

    std::int64_t contacts_ms() const { return contacts_ms_; }
    bool probing() const { return probing_; }
    Result<void> move_contacts(std::int64_t to_ms); // durable on return; never backwards
    Result<void> all_read(bool probing);            // the same

private:
    Marks(lane::SealedFile file, std::string location, std::int64_t contacts_ms, bool probing)
        : file_{std::move(file)}, location_{std::move(location)}, contacts_ms_{contacts_ms}, probing_{probing} {}
    Result<void> write(std::int64_t contacts_ms, bool probing);

    lane::SealedFile file_;
    std::string location_;
    std::int64_t contacts_ms_ = 0;
    bool probing_ = false;
};

} // namespace clinic::poll
