// The section `mqtt` of a program's configuration.
//   Errors: refused, with the rule that was broken.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "crypto/base/result.h"
#include "sync/channel/mqtt/broker/broker.h"

namespace clinic::mqtt {

// `client`: the client id; `remedy`: the page that says what may stand there.
Result<BrokerOptions> read_broker(const nlohmann::json& object, std::string client, Literal remedy);

} // namespace clinic::mqtt
