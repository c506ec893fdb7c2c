#include "sync/poll/marks.h"

#include <nlohmann/json.hpp>

#include "crypto/base/log.h"

namespace clinic::poll {

Result<Marks> Marks::open(lane::SealedFile file) {
    const auto json = file.read();
    if (json && json->is_object() && json->size() == 1 && json->contains("contacts_ms") &&
        json->at("contacts_ms").is_number_unsigned())
        return Marks{std::move(file), json->at("contacts_ms").get<std::int64_t>()};
    if (!json && json.error().code == Errc::system) return json.error();
    if (json || json.error().code != Errc::not_found) {
        base::log(base::Level::warning, "poll",
                  Error{Errc::corrupt, "the marks of the polling do not open and are set aside",
                        "was `credential` changed? GHL is read from the beginning, nothing is lost"});
        CLINIC_TRY(file.set_aside());
    }
    return Marks{std::move(file), 0};
}

Result<void> Marks::move_contacts(std::int64_t to_ms) {
    if (to_ms <= contacts_ms_) return {};
    CLINIC_TRY(file_.write({{"contacts_ms", to_ms}}));
    contacts_ms_ = to_ms;
    return {};
}

} // namespace clinic::poll
