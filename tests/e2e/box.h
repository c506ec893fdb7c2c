// A whole box as `packaging/try` makes it, with the hands and eyes of its users: a practice system, clinicctl, a
// browser, central ops, and GHL as the emulator holds it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/fakes/temp_folder.h"

namespace clinic::e2e {

struct Ran {
    int exit = -1;
    std::string out;
};
Ran run(const std::string& command);
std::vector<std::string> processes_of(const std::filesystem::path& folder); // command lines that name it

// Ten ports in a row that nobody has, below those that the kernel hands out by itself.
int free_port_base();

class Box {
public:
    explicit Box(int port_base = free_port_base()); // throws when it did not start
    ~Box();

    void start();
    void stop();

    std::string send(const std::string& message) const; // one MLLP frame; the answer, or empty
    Ran ctl(const std::string& words) const;
    Ran ctl_with_file(const std::string& words, const std::string& text) const; // {} in `words` is the file
    nlohmann::json status() const;                                              // /api/v1/status
    std::string page(const std::string& path) const;                            // with its status line
    nlohmann::json ghl() const;                                                 // what GHL holds
    std::vector<nlohmann::json> requests() const;                               // what GHL received
    void fault(const std::string& name, int count) const;
    std::string mqtt(const std::string& topic, int messages) const; // what central ops reads within 20 seconds

    // The GHL contacts whose field `ce_pid` is set: our shells.
    std::vector<nlohmann::json> contacts() const;
    bool kill_program(const std::string& name) const;       // SIGKILL; true when it was there
    std::vector<pid_t> pids(const std::string& name) const; // of a program of this box
    bool start_again(); // the supervisor alone, by the plan as it stands; true when the page is up
    int console_port() const { return port_base_ + 1; }
    int mllp_port() const { return port_base_ + 2; }
    std::vector<std::string> processes() const; // command lines that name our folder
    const std::filesystem::path& folder() const { return folder_.path(); }
    const nlohmann::json& endpoints() const { return endpoints_; }

private:
    fakes::TempFolder folder_;
    int port_base_;
    nlohmann::json endpoints_;
};

// Looks again and again until it holds; false after `seconds`. The condition is what is waited for, never the time.
bool eventually(const std::function<bool()>& holds, int seconds = 30);

// A message of this very moment: ADT or SIU with the person's number and name.
std::string adt(const std::string& event, const std::string& control, const std::string& number,
                const std::string& family, const std::string& given);
std::string siu(const std::string& event, const std::string& control, const std::string& number,
                const std::string& family, const std::string& given, const std::string& appointment, long seconds_ahead,
                const std::string& status);

} // namespace clinic::e2e
