#include "provisioning/check_command.h"

#include <nlohmann/json.hpp>

#include "crypto/base/clock.h"
#include "provisioning/answers.h"
#include "provisioning/check/run.h"
#include "provisioning/check/scene.h"
#include "provisioning/check/table.h"
#include "provisioning/check_view.h"
#include "provisioning/containment_look.h"

namespace clinic::provisioning {
namespace {

// Ids and results alone: what was seen stays here. False: clinicd did not take them, which has been said.
bool tell(const Client& client, std::span<const check::Line> lines) {
    nlohmann::json all = nlohmann::json::array();
    for (const auto& line : lines) all.push_back({{"id", line.check->id}, {"result", check::name(line.found.outcome)}});
    return client.ask("checks-tell", {{"checks", std::move(all)}}).has_value();
}

} // namespace

check::Site site_of(const Call& call, const Client& client) {
    check::Site site;
    site.control = client.socket();
    if (call.has("--settings")) site.clinicd_settings = call.value("--settings");
    if (call.has("--sync-settings")) site.syncd_settings = call.value("--sync-settings");
    site.version = CLINIC_VERSION;
    site.now = base::SystemClock{}.now();
    site.clock_kept = check::is_clock_kept();
    site.outside = [socket = client.socket()](const nlohmann::json& said) { return look_at_containment(said, socket); };
    return site;
}

int check_box(const Call& call, const Client& client) {
    const auto scene = std::make_shared<const check::Scene>(site_of(call, client));
    const auto lines = check::run(check::table(), scene);
    if (!call.has("--tell") || call.has("--json")) show(call, check::to_json(lines), view_check);
    if (call.has("--tell") && !tell(client, lines)) return failed;
    return check::exit_of(check::verdict(lines));
}

} // namespace clinic::provisioning
