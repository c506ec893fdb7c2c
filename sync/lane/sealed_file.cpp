#include "sync/lane/sealed_file.h"

#include <nlohmann/json.hpp>

#include "crypto/base/files.h"
#include "crypto/base/json.h"
#include "crypto/seal.h"

namespace clinic::lane {
namespace {

constexpr std::size_t bytes_max = 65'536;
constexpr int depth_max = 3;
constexpr Literal remedy = "make room in the folder of `state`, and let this program's user write there";

} // namespace

Result<nlohmann::json> SealedFile::read() const {
    const auto sealed = base::read_bytes(path_, bytes_max);
    if (!sealed && sealed.error().code == Errc::system)
        return Error{Errc::system, "the state file cannot be read", remedy, {}, sealed.error().native};
    if (!sealed) return sealed.error();
    const auto plain = crypto::open(credential_.key(), *sealed, base::as_bytes(purpose_));
    if (!plain) return plain.error();
    return base::parse_json({reinterpret_cast<const char*>(plain->data()), plain->size()}, bytes_max, depth_max);
}

Result<void> SealedFile::write(const nlohmann::json& object) const {
    const auto plain = base::dump_json(object);
    const auto sealed = crypto::seal(credential_.key(), base::as_bytes(plain), base::as_bytes(purpose_));
    if (sealed.size() > bytes_max) return Error{Errc::full, "what is to be kept is longer than the state file may be"};
    const auto written = base::write_durable(path_, sealed, 0600);
    if (written) return {};
    const Error& failed = written.error();
    return Error{failed.code, "the state file cannot be written", remedy, {}, failed.native};
}

Result<void> SealedFile::set_aside() const {
    auto aside = path_;
    aside += ".unreadable";
    std::error_code failed;
    std::filesystem::rename(path_, aside, failed);
    if (!failed) return {};
    return Error{Errc::system, "the unreadable state file cannot be set aside", remedy, {}, failed.value()};
}

} // namespace clinic::lane
