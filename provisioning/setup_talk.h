// How the setup speaks with who sits in front of it: plain lines of at most 80 columns, questions with what is known
// already, and one next step where it stops. No colour, no cursor: it reads the same in a log.
//   Errors:  an input that has ended answers nothing; the setup stops there and can be gone on with.
//   Threads: one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/base/result.h"
#include "provisioning/setup/progress.h"

namespace clinic::provisioning {

class Talk {
public:
    // `asks`: there is somebody to ask; else the answers are in a file, and nothing is asked.
    explicit Talk(bool asks);

    bool asks() const { return asks_; }
    void begin(setup::Step step) const; // "Step 2 of 6: …"
    void say(const std::string& text) const;
    void fact(const std::string& label, const std::string& value) const; // two columns
    void line(const std::string& text) const;                            // as it is

    // Until it is answered; Enter alone takes what is known already.
    std::optional<std::string> ask(const std::string& question, const std::string& known = "") const;
    std::optional<std::string> choose(const std::string& question, const std::vector<std::string>& words,
                                      const std::string& known = "") const;
    std::optional<bool> agrees(const std::string& question) const;

    // What stopped it, and what to do next; on standard error.
    void stop(const std::string& what, const std::string& next) const;
    void stop(const Error& why) const;

private:
    const bool asks_;
};

} // namespace clinic::provisioning
