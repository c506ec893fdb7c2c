#include "sync/relay/webhook.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "crypto/base/json.h"
#include "sync/envelope/crm_reads.h"
#include "sync/envelope/crm_strip.h"

namespace clinic::relay {
namespace {

using envelope::CrmFact;
using envelope::CrmKind;
using nlohmann::json;

constexpr int depth_max = 12;
constexpr std::size_t webhook_id_max = 128;

struct Type {
    std::string_view name;
    CrmKind kind;
    bool deleted = false;
};
constexpr auto types = std::to_array<Type>({{"ContactCreate", CrmKind::contact},
                                            {"ContactUpdate", CrmKind::contact},
                                            {"ContactTagUpdate", CrmKind::contact},
                                            {"ContactDndUpdate", CrmKind::contact},
                                            {"ContactDelete", CrmKind::contact, true},
                                            {"AppointmentCreate", CrmKind::appointment},
                                            {"AppointmentUpdate", CrmKind::appointment},
                                            {"AppointmentDelete", CrmKind::appointment, true},
                                            {"OpportunityCreate", CrmKind::opportunity},
                                            {"OpportunityUpdate", CrmKind::opportunity},
                                            {"OpportunityStageUpdate", CrmKind::opportunity},
                                            {"OpportunityStatusUpdate", CrmKind::opportunity},
                                            {"OpportunityAssignedToUpdate", CrmKind::opportunity},
                                            {"OpportunityMonetaryValueUpdate", CrmKind::opportunity},
                                            {"OpportunityDelete", CrmKind::opportunity, true},
                                            {"LocationUpdate", CrmKind::location}});

constexpr Error not_of_its_type{Errc::malformed, "a webhook that lacks what its type must say"};

std::string_view text(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? std::string_view{found->get_ref<const std::string&>()}
                                                       : std::string_view{};
}

const json& inner(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_object() ? *found : object;
}

std::string id(const json& object, const char* key) {
    const auto found = text(object, key);
    return envelope::is_contact_id(found) ? std::string{found} : std::string{};
}

std::optional<CrmFact> deletion_of(const json& object, CrmKind kind, std::int64_t sent_ms) {
    CrmFact fact{.id = id(object, "id"), .kind = kind, .updated_ms = 0, .read_ms = sent_ms, .said = {}};
    return fact.id.empty() ? std::nullopt : std::optional{std::move(fact)};
}

// Flat, as the pages of the events have it, or under "data", as the integration guide does (facts/ghl-api §4.2).
const json& object_of(const json& body, CrmKind kind) {
    const json& object = inner(body, "data");
    return kind == CrmKind::appointment ? inner(object, "appointment") : object;
}

} // namespace

Webhook::Webhook(std::unique_ptr<const json> body) : body_{std::move(body)} {
    app_ = relay::id(*body_, "appId");
    location_ = relay::id(*body_, "locationId");
    if (location_.empty()) location_ = relay::id(inner(*body_, "data"), "locationId");
    const auto given = text(*body_, "webhookId");
    if (given.size() <= webhook_id_max) id_ = given;
    sent_ms_ = envelope::ms_of(text(*body_, "timestamp"));
}
Webhook::Webhook(Webhook&&) noexcept = default;
Webhook& Webhook::operator=(Webhook&&) noexcept = default;
Webhook::~Webhook() = default;

Result<Webhook> Webhook::read(std::string_view body) {
    auto parsed = base::parse_json(body, webhook_bytes_max, depth_max);
    if (!parsed) return parsed.error();
    if (!parsed->is_object()) return Error{Errc::malformed, "a webhook that is no object"};
    return Webhook{std::make_unique<const json>(std::move(*parsed))};
}

Result<std::optional<CrmFact>> Webhook::fact(const envelope::WriteRules& rules) const {
    const auto said = text(*body_, "type");
    const auto type = std::find_if(types.begin(), types.end(), [&](const Type& one) { return one.name == said; });
    if (type == types.end()) return std::optional<CrmFact>{};
    const json& object = object_of(*body_, type->kind);
    auto fact = type->deleted ? deletion_of(object, type->kind, sent_ms_)
                              : envelope::strip(type->kind, object, rules, sent_ms_);
    if (!fact) return not_of_its_type;
    return fact;
}

} // namespace clinic::relay
