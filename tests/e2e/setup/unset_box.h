// A box of packaging/try as the package leaves it: no key, no store, no name, told of nobody. It stands in a network of
// its own with a cable, an address, a way out and a name server, none of which leads anywhere but to itself.
//   Needs:   root. The first one takes the whole test process into its network.
//   Errors:  thrown.
//   Threads: one.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tests/e2e/box.h"
#include "tests/e2e/setup/hands.h"

namespace clinic::e2e {

void enter_own_network();
void set_resolver(const std::string& lines); // what /etc/resolv.conf says from now on, in that network

class UnsetBox {
public:
    UnsetBox();

    Box& box() { return box_; }
    Hands& systemd() { return hands_; }
    std::filesystem::path in(const char* name) const { return box_.folder() / name; }
    nlohmann::json answers() const;                         // that set it up wholly
    void keep_answers(const nlohmann::json& answers) const; // as the file of `setup`
    // clinicctl setup with these words besides; `before`: what a shell puts before it. Standard input is `typed`.
    Ran setup(const std::string& words, const std::string& typed = "", const std::string& before = "") const;
    // Of clinicctl, with the bus that it has. Standard input is `typed`.
    Ran ctl(const std::string& words, const std::string& typed) const;
    Ran set_up_without_a_bus() const;
    std::string setup_command(const std::string& words) const; // for a shell, with the bus that it has
    Ran set_up() const { return setup("--answers " + in("answers.json").string()); }
    nlohmann::json progress() const;                                     // of --status --json
    nlohmann::json state() const;                                        // as it lies on the disk
    std::string secret(const char* name, const std::string& text) const; // a file of root's alone

private:
    std::string command(const std::string& bus) const;
    std::string setup_words(const std::string& words) const;

    Box box_;
    test_support::PrivateBus bus_;
    Hands hands_;
};

} // namespace clinic::e2e
