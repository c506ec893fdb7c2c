// The ways into a box other than a practice system's messages: files, clinicctl, the page, egress.sock, MQTT, nonsense.
// Each is used with canaries, and what it answers is searched.
//   Threads: one.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "tests/e2e/box.h"
#include "tests/e2e/canary/clinic_day.h"
#include "tests/e2e/canary/places.h"

namespace clinic::e2e {

inline constexpr uid_t daemon_user = 61'701, sync_user = 61'702; // as packaging/try gives them to root

std::string quoted(const std::string& text);

class Visits {
public:
    // `own`: a folder for what people at the clinic have, outside of the box.
    Visits(const Box& box, const ClinicDay& day, Places& places, std::filesystem::path own)
        : box_{box}, day_{day}, places_{places}, own_{std::move(own)} {}

    void import_files(std::size_t rows);
    void import(const std::string& kind, const std::string& text);
    void replay();              // what is in quarantine comes in again
    void by_tls(std::size_t n); // message `n`, from a sender with a certificate and a name
    void knock_on_the_page();
    void knock_on_egress(const std::filesystem::path& socket);
    void speak_nonsense();
    void read_quarantine(); // its newest items, masked
    void read_dead();
    void read_clinicctl(); // every command that shows something; messages and quarantined items masked
    void erase_somebody(std::size_t p);
    void read_store(); // while the box is down
    void read_pages(const std::string& console);

    // An answer without MSA-2, in which a sender gets its own MSH-10 back, byte for byte.
    static std::string without_echo(std::string answers);

private:
    void ask_clinicctl(const std::string& words);
    void read_links();
    void show_each(const std::string& list, const std::string& show); // the newest of a list

    const Box& box_;
    const ClinicDay& day_;
    Places& places_;
    std::filesystem::path own_;
};

} // namespace clinic::e2e
