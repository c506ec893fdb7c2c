#include "sync/poll/marks.h"

#include <nlohmann/json.hpp>

#include "crypto/base/log.h"

namespace clinic::poll {

namespace {

bool are_marks(const nlohmann::json& json) {
    return json.is_object() && json.size() == 3 && json.value("contacts_ms", nlohmann::json{}).is_number_unsigned() &&
           json.value("probing", nlohmann::json{}).is_boolean() && json.value("location", nlohmann::json{}).is_string();
}

} // namespace

Result<Marks> Marks::open(lane::SealedFile file, std::string location) {
    const auto json = file.read();
    if (json && are_marks(*json)) {
        const bool is_ours = json->at("location").get_ref<const std::string&>() == location;
        return Marks{std::move(file), std::move(location), is_ours ? json->at("contacts_ms").get<std::int64_t>() : 0,
                     is_ours && json->at("probing").get<bool>()};
    }
    if (!json && json.error().code == Errc::system) return json.error();
    if (json || json.error().code != Errc::not_found) {
        base::log(base::Level::warning, "poll",
                  Error{Errc::corrupt, "the marks of the polling do not open and are set aside",
                        "was `credential` changed? GHL is read from the beginning, nothing is lost"});
        CLINIC_TRY(file.set_aside());
    }
    return Marks{std::move(file), std::move(location), 0, false};
}

Result<void> Marks::move_contacts(std::int64_t to_ms) {
    return to_ms <= contacts_ms_ ? Result<void>{} : write(to_ms, probing_);
}

Result<void> Marks::all_read(bool probing) {
    return probing == probing_ ? Result<void>{} : write(contacts_ms_, probing);
}

Result<void> Marks::write(std::int64_t contacts_ms, bool probing) {
    CLINIC_TRY(file_.write({{"contacts_ms", contacts_ms}, {"probing", probing}, {"location", location_}}));
    contacts_ms_ = contacts_ms;
    probing_ = probing;
    return {};
}

} // namespace clinic::poll
