// The configuration file of clinic-relay, read once. Closed: an unknown key is an error.
//   Form:   docs/relay.md.
//   Errors: not_found, malformed, full, refused (a value out of its range), with the rule that was broken.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "crypto/base/result.h"
#include "sync/channel/mqtt/broker/broker.h"
#include "sync/relay/door.h"
#include "sync/relay/reception.h"
#include "sync/relay/signature.h"

namespace clinic::relay {

inline constexpr std::size_t locations_max = 10'000;

struct Options {
    std::string name; // ^[a-z0-9][a-z0-9-]{0,31}$; each replica has its own
    std::string address = "0.0.0.0";
    std::uint16_t port = 8'443;
    DoorOptions door;
    SignatureKeys keys;
    ReceptionOptions reception;
    mqtt::BrokerOptions broker;
};

// `name`: of this replica, where the file gives none; empty: the machine's.
Result<Options> read_options(const std::filesystem::path& file, std::string name = {});

} // namespace clinic::relay
