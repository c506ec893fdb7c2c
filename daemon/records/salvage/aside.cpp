#include "daemon/records/salvage/aside.h"

#include <algorithm>
#include <array>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "crypto/seal.h"

namespace clinic::salvage {
namespace {

using nlohmann::json;

constexpr std::string_view magic{"ClinicEdgeAside\0", 16};
constexpr std::size_t file_bytes_max = 4 * aside_bytes_max;
constexpr int depth_max = 4;

std::array<std::byte, 32> bound_to(const crypto::StoreUuid& store) {
    std::array<std::byte, 32> out{};
    std::ranges::copy(std::as_bytes(std::span{magic}), out.begin());
    std::ranges::copy(store, out.begin() + magic.size());
    return out;
}

const char* name(Loss why) {
    switch (why) {
    case Loss::unreadable: return "unreadable";
    case Loss::senseless: return "senseless";
    case Loss::row: return "row";
    }
    return "";
}

} // namespace

void Aside::add(std::string_view table, Literal why, std::int64_t rowid, std::span<const std::byte> payload) {
    ++rows_;
    if (bytes_ + payload.size() + aside_row_bytes > aside_bytes_max) {
        ++beyond_;
        return;
    }
    bytes_ += payload.size() + aside_row_bytes;
    kept_.push_back({{"table", table}, {"why", why.c_str()}, {"row", rowid}, {"payload", crypto::hex(payload)}});
}

Result<void> Aside::write(const std::filesystem::path& folder, const crypto::SecureBytes& key,
                          const crypto::StoreUuid& store, const std::vector<LostPage>& lost) const {
    json pages = json::array();
    for (const auto& page : lost) pages.push_back({{"page", page.page}, {"of", page.owner}, {"why", name(page.why)}});
    const std::string text = base::dump_json(
        {{"version", 1}, {"rows", rows_}, {"not_kept", beyond_}, {"lost_pages", std::move(pages)}, {"kept", kept_}});
    const auto sealed = crypto::seal(key, base::as_bytes(text), bound_to(store));
    crypto::Bytes file(magic.size() + sealed.size());
    std::ranges::copy(std::as_bytes(std::span{magic}), file.begin());
    std::ranges::copy(sealed, file.begin() + static_cast<std::ptrdiff_t>(magic.size()));
    return base::write_durable(folder / aside_file, file, 0600);
}

Result<json> read_aside(const std::filesystem::path& folder, const crypto::SecureBytes& key,
                        const crypto::StoreUuid& store) {
    const auto file = base::read_bytes(folder / aside_file, file_bytes_max);
    CLINIC_TRY(file);
    if (file->size() < magic.size()) return Error{Errc::tampered, "the salvage record was cut off"};
    if (!std::ranges::equal(std::span{*file}.first(magic.size()), std::as_bytes(std::span{magic})))
        return Error{Errc::tampered, "the salvage record does not begin as one"};
    const auto plain = crypto::open(key, std::span{*file}.subspan(magic.size()), bound_to(store));
    CLINIC_TRY(plain);
    return base::parse_json({reinterpret_cast<const char*>(plain->data()), plain->size()}, file_bytes_max, depth_max);
}

} // namespace clinic::salvage
