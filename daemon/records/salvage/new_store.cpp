#include "daemon/records/salvage/new_store.h"

#include "daemon/records/salvage/shape.h"
#include "daemon/records/store_check.h"

namespace clinic::salvage {

Result<void> WithoutTriggers::drop() {
    std::string drops;
    CLINIC_TRY(each_row(connection_, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'",
                        [&](const records::OwnedStatement& row) {
                            drops += "DROP TRIGGER " + text(row, 0) + ";";
                            anew_ += text(row, 1) + ";";
                        }));
    return connection_.run_script(drops.c_str());
}

Result<void> WithoutTriggers::restore() {
    return connection_.run_script(anew_.c_str());
}

Result<void> check_new(records::Connection& connection) {
    const auto said = records::run_check(connection, "PRAGMA integrity_check(1)");
    CLINIC_TRY(said);
    if (*said == records::Verdict::sound) return {};
    return Error{Errc::corrupt, "the new store does not pass its check", "look at the disk of the new folder"};
}

} // namespace clinic::salvage
