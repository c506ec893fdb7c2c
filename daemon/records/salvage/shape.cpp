#include "daemon/records/salvage/shape.h"

#include <algorithm>
#include <map>

namespace clinic::salvage {
namespace {

using records::Connection;
using records::OwnedStatement;
using records::sqlite_error;

ColumnType type_of(const std::string& declared) {
    if (declared == "INTEGER") return ColumnType::integer;
    if (declared == "TEXT") return ColumnType::text;
    return declared == "BLOB" ? ColumnType::blob : ColumnType::any;
}

bool is_of(ColumnType type, const Value& value) {
    switch (type) {
    case ColumnType::integer: return std::holds_alternative<std::int64_t>(value);
    case ColumnType::text: return std::holds_alternative<std::string_view>(value);
    case ColumnType::blob: return std::holds_alternative<std::span<const std::byte>>(value);
    case ColumnType::any: return true;
    }
    return false;
}

struct Described {
    Column column;
    int key = 0; // its place in the primary key, from 1
    bool has_default = false;
};

Result<std::vector<Described>> describe(Connection& connection, const std::string& table) {
    std::vector<Described> columns;
    CLINIC_TRY(each_row(connection, "PRAGMA table_info(" + table + ")", [&](const OwnedStatement& row) {
        const bool not_null = sqlite3_column_int(row.get(), 3) != 0;
        Described one{.column = {.name = text(row, 1), .type = type_of(text(row, 2)), .may_be_null = !not_null},
                      .key = sqlite3_column_int(row.get(), 5),
                      .has_default = sqlite3_column_type(row.get(), 4) != SQLITE_NULL};
        columns.push_back(std::move(one));
    }));
    return columns;
}

// A migration adds columns at the end, and each may be left out.
void mark_missing(std::vector<Column>& columns, const std::vector<Described>& described) {
    for (std::size_t i = columns.size(); i-- > 1;) {
        const auto& from = described[i];
        if (from.key != 0 || !(from.has_default || from.column.may_be_null)) return;
        columns[i].may_be_missing = true;
    }
}

Result<Shape> shape_of_table(Connection& connection, const std::string& name, bool with_rowid) {
    auto described = describe(connection, name);
    CLINIC_TRY(described);
    Shape shape{.name = name, .table = name, .with_rowid = with_rowid};
    const auto keys = std::ranges::count_if(*described, [](const Described& one) { return one.key != 0; });
    if (!with_rowid) // the key's columns come first, and in its order
        std::ranges::stable_sort(*described, {}, [](const Described& one) { return one.key == 0 ? 1'000 : one.key; });
    for (auto& one : *described) {
        one.column.is_rowid = with_rowid && keys == 1 && one.key == 1 && one.column.type == ColumnType::integer;
        shape.columns.push_back(one.column);
    }
    mark_missing(shape.columns, *described);
    return shape;
}

Result<Shape> shape_of_index(Connection& connection, const std::string& name, const std::string& table) {
    const auto described = describe(connection, table);
    CLINIC_TRY(described);
    Shape shape{.name = name, .table = table, .index = true, .with_rowid = false};
    CLINIC_TRY(each_row(connection, "PRAGMA index_xinfo(" + name + ")", [&](const OwnedStatement& row) {
        const int at = sqlite3_column_int(row.get(), 1);
        if (at == -1)
            shape.columns.push_back({.name = "", .type = ColumnType::integer});
        else if (at < 0)
            shape.columns.push_back({.name = "", .type = ColumnType::any, .may_be_null = true});
        else
            shape.columns.push_back((*described)[static_cast<std::size_t>(at)].column);
    }));
    return shape;
}

} // namespace

Result<OwnedStatement> prepare(Connection& connection, const std::string& sql) {
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v2(connection.handle(), sql.c_str(), -1, &raw, nullptr);
    OwnedStatement made{raw};
    if (code != SQLITE_OK) return sqlite_error(connection.handle(), code, "a statement cannot be prepared");
    return made;
}

// A text for which there was no memory is no NULL.
Result<void> each_row(Connection& connection, const std::string& sql,
                      const std::function<void(const OwnedStatement&)>& each) {
    const auto rows = prepare(connection, sql);
    CLINIC_TRY(rows);
    for (;;) {
        int code = sqlite3_step(rows->get());
        if (code == SQLITE_DONE) return {};
        if (code == SQLITE_ROW) {
            each(*rows);
            code = sqlite3_errcode(connection.handle());
        }
        if (code != SQLITE_ROW) return sqlite_error(connection.handle(), code, "the schema cannot be read");
    }
}

std::string text(const OwnedStatement& row, int column) {
    const auto* found = reinterpret_cast<const char*>(sqlite3_column_text(row.get(), column));
    return found == nullptr ? std::string{} : std::string{found};
}

bool Shape::fits(const std::vector<Value>& values) const {
    if (values.empty() || values.size() > columns.size()) return false;
    for (std::size_t i = 0; i < columns.size(); ++i) {
        const Column& column = columns[i];
        if (i >= values.size()) {
            if (!column.may_be_missing) return false;
            continue;
        }
        const bool null = std::holds_alternative<std::monostate>(values[i]);
        if (null ? !(column.may_be_null || column.is_rowid) : !salvage::is_of(column.type, values[i])) return false;
    }
    return true;
}

std::optional<std::size_t> Shape::find(std::string_view column) const {
    const auto found = std::ranges::find(columns, column, &Column::name);
    if (found == columns.end()) return std::nullopt;
    return static_cast<std::size_t>(found - columns.begin());
}

bool Shape::is_of(PageKind kind) const {
    const bool of_rowids = kind == PageKind::table_leaf || kind == PageKind::table_interior;
    return of_rowids == (with_rowid && !index);
}

Result<std::vector<Shape>> shapes(Connection& connection) {
    std::map<std::string, bool> without_rowid;
    CLINIC_TRY(each_row(connection, "PRAGMA table_list", [&](const OwnedStatement& row) {
        without_rowid[text(row, 1)] = sqlite3_column_int(row.get(), 4) != 0;
    }));
    std::vector<std::array<std::string, 3>> entries;
    CLINIC_TRY(each_row(connection,
                        "SELECT type, name, tbl_name FROM sqlite_schema WHERE type IN ('table', 'index')"
                        " AND name NOT LIKE 'sqlite\\_s%' ESCAPE '\\' ORDER BY name <> 'patient', type DESC, name",
                        [&](const OwnedStatement& row) {
                            entries.push_back({text(row, 0), text(row, 1), text(row, 2)});
                        }));
    std::vector<Shape> made;
    for (const auto& [type, name, table] : entries) {
        auto shape = type == "table" ? shape_of_table(connection, name, !without_rowid[name])
                                     : shape_of_index(connection, name, table);
        CLINIC_TRY(shape);
        made.push_back(std::move(*shape));
    }
    return made;
}

} // namespace clinic::salvage
