// What the rows of a table or an index look like, from a database that our migrations made.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "daemon/records/connection.h"
#include "daemon/records/salvage/tree.h"

namespace clinic::salvage {

enum class ColumnType : std::uint8_t { integer, text, blob, any };

struct Column {
    std::string name; // empty: a rowid that an index keeps
    ColumnType type = ColumnType::any;
    bool may_be_null = false;
    bool may_be_missing = false; // added by a later migration: older rows end before it
    bool is_rowid = false;       // INTEGER PRIMARY KEY: stored as NULL, its value is the rowid
};

struct Shape {
    std::string name, table;
    bool index = false;
    bool with_rowid = true;
    std::vector<Column> columns; // in the order in which a record holds them
    bool fits(const std::vector<Value>& values) const;
    // Where the column of that name is in a record; nullopt: there is none.
    std::optional<std::size_t> find(std::string_view column) const;
    bool is_of(PageKind kind) const;
};

// Of every table and index, `patient` first: others refer to it.
Result<std::vector<Shape>> shapes(records::Connection& connection);

// A statement of SQL that was put together from the schema's own names.
Result<records::OwnedStatement> prepare(records::Connection& connection, const std::string& sql);
// `each` takes values of the row, and runs no statement. Errors: as a statement's; system, where memory was out.
Result<void> each_row(records::Connection& connection, const std::string& sql,
                      const std::function<void(const records::OwnedStatement&)>& each);
std::string text(const records::OwnedStatement& row, int column); // empty: it is NULL

} // namespace clinic::salvage
