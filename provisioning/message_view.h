// Senders, messages and replays as text in 80 columns, from clinicd's JSON. What a message holds is shown without its
// control characters: a terminal is no place for a sender's escapes.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace clinic::provisioning {

std::string view_feeds(const nlohmann::json& feeds);
std::string view_messages(const nlohmann::json& messages);
std::string view_message(const nlohmann::json& message);
std::string view_audit(const nlohmann::json& links);
std::string view_quarantine(const nlohmann::json& items);
std::string view_settled(const nlohmann::json& settled); // items that were replayed or discarded

} // namespace clinic::provisioning
