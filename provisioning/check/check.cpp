#include "provisioning/check/check.h"

#include <utility>

namespace clinic::check {

const char* name(Outcome outcome) {
    switch (outcome) {
    case Outcome::ok: return "ok";
    case Outcome::suppressed: return "suppressed";
    case Outcome::unknown: return "not_known";
    case Outcome::warn: return "warn";
    case Outcome::fail: break;
    }
    return "fail";
}

const char* name(Group group) {
    switch (group) {
    case Group::machine: return "machine";
    case Group::disk: return "disk";
    case Group::clock: return "clock";
    case Group::setup: return "setup";
    case Group::keys: return "keys";
    case Group::certificates: return "certificates";
    case Group::services: return "services";
    case Group::network: return "network";
    case Group::box: return "box";
    case Group::delivery: break;
    }
    return "delivery";
}

Finding ok(std::string said) {
    return {Outcome::ok, std::move(said)};
}
Finding unknown(std::string said, Literal cause, Literal next) {
    return {Outcome::unknown, std::move(said), cause, next};
}
Finding warn(std::string said, Literal cause, Literal next) {
    return {Outcome::warn, std::move(said), cause, next};
}
Finding fail(std::string said, Literal cause, Literal next) {
    return {Outcome::fail, std::move(said), cause, next};
}

} // namespace clinic::check
