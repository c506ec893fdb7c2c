// A webhook of HighLevel's, and what of it gets through: ids, our tags and fields, do-not-disturb, states and times
// that pass the rules of a CrmFact. Nothing else is copied out of the body.
//   Units:   milliseconds UTC.
//   Errors:  malformed (not JSON, or not of its type), full (longer or deeper than the bounds).
//   Threads: pure.
//   Source:  facts/ghl-api §4.1, §4.2, §6.1; docs/relay.md.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/base/result.h"
#include "sync/envelope/crm.h"
#include "sync/envelope/frame.h"

namespace clinic::relay {

inline constexpr std::size_t webhook_bytes_max = 262'144;

class Webhook {
public:
    static Result<Webhook> read(std::string_view body);
    Webhook(Webhook&&) noexcept;
    Webhook& operator=(Webhook&&) noexcept;
    ~Webhook();

    // Empty where they are not said, or not of their form.
    const std::string& app() const { return app_; }
    const std::string& location() const { return location_; }
    const std::string& id() const { return id_; }
    std::int64_t sent_ms() const { return sent_ms_; } // -1: not said

    // Nothing: a type that boxes are not told. `rules`: of its location.
    Result<std::optional<envelope::CrmFact>> fact(const envelope::WriteRules& rules) const;

private:
    explicit Webhook(std::unique_ptr<const nlohmann::json> body);
    std::unique_ptr<const nlohmann::json> body_;
    std::string app_, location_, id_;
    std::int64_t sent_ms_ = -1;
};

} // namespace clinic::relay
