// What `clinicctl store` found, as JSON and in words. Names of the schema, numbers and our own words alone.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "crypto/store_look.h"
#include "daemon/records/salvage/mend_keys.h"
#include "daemon/records/salvage/restore.h"
#include "daemon/records/salvage/salvage.h"

namespace clinic::provisioning {

nlohmann::json to_json(const crypto::StoreLook& look);
nlohmann::json to_json(const salvage::Checked& checked);
nlohmann::json to_json(const salvage::Salvaged& salvaged);
nlohmann::json to_json(const salvage::KeysMended& mended);
nlohmann::json to_json(const salvage::Restored& restored);

std::string view_inspected(const nlohmann::json& look);
std::string view_checked(const nlohmann::json& checked);
std::string view_salvaged(const nlohmann::json& salvaged);
std::string view_keys_mended(const nlohmann::json& mended);
std::string view_restored(const nlohmann::json& restored);

} // namespace clinic::provisioning
