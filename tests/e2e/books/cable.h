// A far side behind a cable of our own: another network namespace, on the box's own machine. A cable that is cut loses
// packets and says nothing: no reset, no "unreachable" from the other end.
//   Errors:  made() is false where the machine makes no network for us; the rest is the test's own failure.
#pragma once

#include <string>

#include "tests/e2e/box.h"

namespace clinic::e2e {

class Cable {
public:
    // With a certificate for `far`, of the box's own authority: keys/far.pem and keys/far.key in its folder.
    explicit Cable(const Box& box);
    ~Cable(); // and of all that runs there
    Cable(const Cable&) = delete;
    Cable& operator=(const Cable&) = delete;

    static constexpr const char* far = "10.77.6.2";

    bool made() const { return made_; }
    std::string there() const { return "ip netns exec " + name_ + " "; }      // before a command that is to run there
    void run_there(const std::string& command, const std::string& log) const; // on and on, in the box's folder
    void cut() const;                                                         // both ways
    void lose_answers() const;                                                // the far side hears, and is not heard
    void mend() const;

private:
    std::string folder_, name_, near_;
    bool made_ = false;
};

// `filter` of jq over the settings of clinic-syncd, which reads them at its next start.
void change_sync_settings(const Box& box, const std::string& filter);

} // namespace clinic::e2e
