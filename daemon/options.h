// clinicd's settings: one JSON file, closed; an unknown or missing key is an error that names it. A user is a number or
// the name of one of this machine.
//   Threads: read_options before the first one, and before the filter (it looks names up).
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "daemon/intake/mllp_decoder.h"
#include "daemon/release/cases.h"
#include "sync/envelope/frame.h"

namespace clinic::daemon {

struct Options {
    std::string box;  // the device certificate's name
    std::string zone; // of the tz database: times without an offset are the clinic's
    std::filesystem::path records, credential;
    std::optional<uid_t> user;    // when started by root: who to be; never 0
    std::optional<uid_t> peer;    // clinic-syncd's user; absent: ours, and the status says so
    std::vector<uid_t> operators; // who may ask on control.sock
    std::filesystem::path console_certificate, console_key;
    std::filesystem::path console_authority;                          // the box's own; empty: none
    std::vector<std::string> console_names;                           // Host headers besides numeric addresses
    std::vector<std::string> mllp_allow;                              // addresses or CIDR ranges of senders
    std::size_t mllp_message_bytes_max = intake::frame_bytes_default; // of one message, without its MLLP marks
    std::filesystem::path mllp_certificate, mllp_key, mllp_client_ca; // of MLLP over TLS; all three, or none
    envelope::WriteRules ghl;                                         // without a location: nothing goes to GHL
    release::Outcomes outcomes = release::usual_outcomes;             // of a case, by the patient's stage
    int slots_at_once = 1;                                            // how many the clinic sees at a time
    int compare_hour = 2;                                             // of the nightly comparison; 24: none
    std::string support_key;                              // for clinicctl bundle alone: 64 hexadecimal digits
    bool dry_run = false;                                 // delivery: "dry-run"; the ledger is written, nothing is sent
    int index_lag_ms = 60'000, late_ms = 120'000;         // each at most half a day; see egress::GateOptions
    int coalesce_ms = 60'000, coalesce_quiet_ms = 15'000; // each at most an hour; see outbox::Coalesce
};

// Says on standard error what is wrong and where; nullopt then.
std::optional<Options> read_options(const std::filesystem::path& file);

// The settings in which they differ, by their names in the file; but for mllp.allow, which is taken up while running.
std::vector<std::string> wait_for_restart(const Options& running, const Options& read);

} // namespace clinic::daemon
