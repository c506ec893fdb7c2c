#include "daemon/records/store.h"

namespace clinic::records {

Result<std::optional<std::string>> setting(Session& session, Literal key) {
    auto find = session.prepare("SELECT value FROM setting WHERE key = ?");
    if (!find) return find.error();
    const auto row = find->bind(key.c_str()).step();
    if (!row) return row.error();
    if (!*row) return std::optional<std::string>{};
    return std::optional<std::string>{find->text(0)};
}

Result<void> set_setting(Transaction& txn, Literal key, std::string_view value) {
    auto put = txn.prepare("INSERT INTO setting (key, value) VALUES (?, ?)"
                           " ON CONFLICT (key) DO UPDATE SET value = excluded.value");
    if (!put) return put.error();
    return put->bind(key.c_str(), value).run();
}

} // namespace clinic::records
