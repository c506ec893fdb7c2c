// All that is in a closed store, to be compared with what is in another.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "tests/daemon/records/raw_database.h"
#include "tests/daemon/records/records_fixture.h"

namespace clinic::records {

// Table by table, every row as SQLite quotes it.
using Dump = std::map<std::string, std::multiset<std::string>>;

inline Dump dump(const std::filesystem::path& folder) {
    RawDatabase raw{folder, slot_of('k')};
    Dump all;
    for (const auto& name : raw.texts("SELECT name FROM sqlite_schema WHERE type = 'table'")) {
        std::string quoted;
        for (const auto& column : raw.texts("SELECT name FROM pragma_table_info('" + name + "')"))
            quoted += (quoted.empty() ? "quote(" : " || ',' || quote(") + column + ")";
        const auto rows = raw.texts("SELECT " + quoted + " FROM " + name);
        all[name] = {rows.begin(), rows.end()};
    }
    return all;
}

} // namespace clinic::records
