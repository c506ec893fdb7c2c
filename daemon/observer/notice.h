// What is said in clinicd's place: that it does not run, why as far as the service manager knows, and what to do. It
// has no record, no key of one and no settings to read.
//   Threads: any.
#pragma once

#include <functional>

#include "daemon/https/https_server.h"
#include "daemon/observer/watch.h"

namespace clinic::observer {

// `/help/…` and what pages are drawn with are as ever; all else is 503: a page, or for programs an object with an
// error.
class Notice final : public https::Site {
public:
    explicit Notice(std::function<Seen()> look) : look_{std::move(look)} {}

    std::optional<https::Answer> document(std::string_view path) override;
    bool has(std::string_view path) const override;
    https::Stream* stream(std::string_view path) override;

private:
    const std::function<Seen()> look_;
};

} // namespace clinic::observer
