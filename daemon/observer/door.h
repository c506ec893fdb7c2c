// Whether a guest at the page's port waits in vain, so that the observer lets them in. The socket is clinicd's: while
// it answers, nobody waits for two seconds.
//   Units:   two seconds where clinicd does not run; ten where it does, since a crowd at a door is no silence.
//   Threads: one, that of the listener.
#pragma once

#include <functional>
#include <optional>

#include "crypto/base/clock.h"
#include "daemon/observer/watch.h"

namespace clinic::observer {

class Door {
public:
    Door(std::function<Seen()> look, const base::Clock& clock) : look_{std::move(look)}, clock_{clock} {}

    // Asked while somebody waits, at least each second; a pause means that nobody did.
    bool may_accept();

private:
    const std::function<Seen()> look_;
    const base::Clock& clock_;
    std::optional<base::Micros> waits_since_, asked_at_;
    bool answers_ = false; // in clinicd's place, until it runs again
};

} // namespace clinic::observer
