#include "provisioning/store_commands.h"

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "daemon/records/salvage/mend_keys.h"
#include "daemon/records/salvage/restore.h"
#include "daemon/records/salvage/salvage.h"
#include "provisioning/answers.h"
#include "provisioning/keys_commands.h"
#include "provisioning/store_view.h"

namespace clinic::provisioning {
namespace {

constexpr int cannot = 1, wrong_words = 2, damaged = 3;

int refuse(const Error& why) {
    const bool helps = *why.remedy.c_str() != '\0';
    std::fprintf(stderr, "clinicctl: %s", why.what.c_str());
    if (why.at.field > 0) std::fprintf(stderr, " (word %d)", why.at.field);
    std::fprintf(stderr, "%s%s\n", helps ? "; " : "", why.remedy.c_str());
    return cannot;
}

bool lacks(const Call& call, std::initializer_list<const char*> options) {
    for (const char* option : options) {
        if (!call.value(option).empty()) continue;
        std::fprintf(stderr, "clinicctl: store: %s is missing; see clinicctl store --help\n", option);
        return true;
    }
    return false;
}

bool has_one_key(const Call& call) {
    if (int{!call.value("--credential").empty()} + call.has("--words") + call.has("--passphrase") == 1) return true;
    std::fputs("clinicctl: store: one of --credential FILE, --words and --passphrase is wanted; see clinicctl store "
               "--help\n",
               stderr);
    return false;
}

// What the store is opened with: this machine's key file, or what a person types.
Result<crypto::KeySlot> slot_of(const Call& call) {
    if (call.has("--credential")) return crypto::KeySlot::from_credential_file(call.value("--credential"));
    auto typed = call.has("--words") ? type_words() : type_passphrase(false);
    if (!typed) return Error{Errc::locked, "nothing was typed", "type it, or give it through a pipe"};
    return call.has("--words") ? crypto::KeySlot::from_words(*typed)
                               : crypto::KeySlot::from_passphrase(std::move(*typed));
}

// The records' folder, or the database in it.
std::filesystem::path records_of(const Call& call) {
    std::filesystem::path given = call.value("--records");
    std::error_code none;
    return given.filename() == "records.db" && !std::filesystem::is_directory(given, none) ? given.parent_path() / "."
                                                                                           : given;
}

// Which slot that key opens, into `facts`; why none, where none is.
std::optional<Error> try_key(const Call& call, const std::filesystem::path& records, nlohmann::json& facts) {
    facts["opened_slot"] = nullptr;
    const auto slot = slot_of(call);
    if (!slot) return slot.error();
    const auto image = crypto::StoreImage::open(records / "records.db", *slot);
    if (!image) return image.error();
    facts["opened_slot"] = image->slot();
    return std::nullopt;
}

} // namespace

int inspect_store(const Call& call, const Client&) {
    if (lacks(call, {"--records"})) return wrong_words;
    const auto records = records_of(call);
    const auto held = salvage::hold(records);
    if (!held) return refuse(held.error());
    const auto look = crypto::look_at_store(records);
    if (!look) return refuse(look.error());
    auto facts = to_json(*look);
    const auto* newer = look->database ? look->database->newer() : nullptr;
    const auto refused = newer != nullptr           ? newer->newer
                         : call.has("--credential") ? try_key(call, records, facts)
                                                    : std::nullopt;
    show(call, facts, view_inspected);
    if (refused) return refuse(*refused);
    return facts.at("whole").get<bool>() ? 0 : damaged;
}

int check_store(const Call& call, const Client&) {
    if (lacks(call, {"--records"}) || !has_one_key(call)) return wrong_words;
    const auto slot = slot_of(call);
    if (!slot) return refuse(slot.error());
    const auto checked = salvage::check(records_of(call), *slot);
    if (!checked) return refuse(checked.error());
    show(call, to_json(*checked), view_checked);
    return checked->sound() ? 0 : damaged;
}

int salvage_store(const Call& call, const Client&) {
    if (lacks(call, {"--records", "--to"}) || !has_one_key(call)) return wrong_words;
    const auto slot = slot_of(call);
    if (!slot) return refuse(slot.error());
    const base::SystemClock clock;
    const auto salvaged = salvage::salvage(records_of(call), call.value("--to"), *slot, clock);
    if (!salvaged) return refuse(salvaged.error());
    show(call, to_json(*salvaged), view_salvaged);
    return salvaged->complete() ? 0 : damaged;
}

int mend_store_keys(const Call& call, const Client&) {
    if (lacks(call, {"--records", "--from"}) || !has_one_key(call)) return wrong_words;
    const auto slot = slot_of(call);
    if (!slot) return refuse(slot.error());
    const auto mended = salvage::mend_keys(records_of(call), call.value("--from"), *slot);
    if (!mended) return refuse(mended.error());
    show(call, to_json(*mended), view_keys_mended);
    return mended->damaged == 0 ? 0 : damaged;
}

int restore_store(const Call& call, const Client&) {
    if (lacks(call, {"--records", "--from"}) || !has_one_key(call)) return wrong_words;
    const auto slot = slot_of(call);
    if (!slot) return refuse(slot.error());
    const base::SystemClock clock;
    const auto restored = salvage::restore(records_of(call), call.value("--from"), *slot, clock);
    if (!restored) return refuse(restored.error());
    show(call, to_json(*restored), view_restored);
    return 0;
}

} // namespace clinic::provisioning
