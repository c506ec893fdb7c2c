// A system bus of the test's own: dbus-daemon with the rules of Debian's system.conf and the policy that the package
// installs, for the user that is named; and somebody on it who answers as polkit does. As root: the bus tells its
// callers apart by their users.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/fakes/temp_folder.h"

struct sd_bus;
struct sd_bus_message;

namespace clinic::test_support {

class PrivateBus {
public:
    // `policy`: false leaves clinicd's out, as where it was not installed.
    explicit PrivateBus(uid_t clinicd, bool policy = true);
    ~PrivateBus(); // end()
    PrivateBus(const PrivateBus&) = delete;
    PrivateBus& operator=(const PrivateBus&) = delete;

    std::string address() const { return "unix:path=" + (folder_ / "socket").string(); }
    void end(); // the bus is gone: who is on it has lost it
    // What busctl(1) says to these words, started as that user: its answer, and its complaint after it.
    std::string ask(const std::string& words, uid_t as = 0) const;
    // Of clinicd's object: a property as JSON, or a method and its arguments.
    std::string property(const std::string& name) const;
    std::string call(const std::string& method, uid_t as = 0) const;

    const std::filesystem::path& folder() const { return folder_.path(); }

private:
    fakes::TempFolder folder_;
    pid_t process_ = -1;
};

// Debian's polkitd on that bus, with the actions that the package installs.
class RealPolkit {
public:
    explicit RealPolkit(const PrivateBus& bus);
    ~RealPolkit();
    RealPolkit(const RealPolkit&) = delete;
    RealPolkit& operator=(const RealPolkit&) = delete;

private:
    pid_t process_ = -1;
};

// Somebody on that bus, as root, on a thread of their own.
class OnTheBus {
public:
    explicit OnTheBus(const PrivateBus& bus);
    virtual ~OnTheBus();
    OnTheBus(const OnTheBus&) = delete;
    OnTheBus& operator=(const OnTheBus&) = delete;

protected:
    void start();
    void stop();
    sd_bus* bus() const { return bus_; }
    virtual void turn() {} // on that thread, at least every 20 ms: what is to be said without being asked

private:
    sd_bus* bus_ = nullptr;
    std::jthread thread_;
};

// Answers what it is told to. Who has the service manager's name as well, so that there is one to be called.
class Polkit : public OnTheBus {
public:
    enum class Word { yes, no, who_are_you, nothing };
    explicit Polkit(const PrivateBus& bus);
    ~Polkit() override { stop(); }
    void say(Word word) { word_ = word; }
    std::vector<std::string> asked() const; // the actions

private:
    static int check(sd_bus_message* call, void* polkit, void* error);
    std::atomic<Word> word_{Word::yes};
    mutable std::mutex mutex_;
    std::vector<std::string> asked_;
};

// The changes that the object tells: for each signal the names of its properties.
class Listener : public OnTheBus {
public:
    explicit Listener(const PrivateBus& bus);
    ~Listener() override { stop(); }
    std::vector<std::vector<std::string>> heard() const;
    bool heard(const std::string& property) const;

private:
    static int hear(sd_bus_message* signal, void* listener, void* error);
    mutable std::mutex mutex_;
    std::vector<std::vector<std::string>> heard_;
};

} // namespace clinic::test_support
