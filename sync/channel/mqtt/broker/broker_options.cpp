#include "sync/channel/mqtt/broker/broker_options.h"

#include <nlohmann/json.hpp>

#include "crypto/base/section.h"

namespace clinic::mqtt {
namespace {

constexpr std::int64_t seconds_max = 600;

} // namespace

Result<BrokerOptions> read_broker(const nlohmann::json& object, std::string client, Literal remedy) {
    base::Section in{object, {"host", "port", "ca", "cert", "key", "keep_alive_s", "will_delay_s"}, remedy};
    BrokerOptions out;
    out.host = in.text("host", true);
    out.port = static_cast<std::uint16_t>(in.number("port", out.port, 1, 65'535));
    out.ca = in.text("ca", true);
    out.cert = in.text("cert", true);
    out.key = in.text("key", true);
    out.client = std::move(client);
    out.keep_alive = std::chrono::seconds{in.number("keep_alive_s", out.keep_alive.count(), 5, seconds_max)};
    out.will_delay = std::chrono::seconds{in.number("will_delay_s", out.will_delay.count(), 0, seconds_max)};
    CLINIC_TRY(in.outcome());
    return out;
}

} // namespace clinic::mqtt
