#include "daemon/records/advice.h"

#include <sqlite3.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <span>

#include "crypto/base/owned.h"

namespace clinic::records {
namespace {

using Owned = std::unique_ptr<sqlite3_stmt, base::FreedBy<sqlite3_finalize>>;

constexpr std::size_t index_columns_max = 4;

std::vector<std::string> plan_of(sqlite3* reader, Literal sql) {
    std::vector<std::string> lines;
    sqlite3_stmt* raw = nullptr;
    const std::string explain = std::string{"EXPLAIN QUERY PLAN "} + sql.c_str();
    if (sqlite3_prepare_v2(reader, explain.c_str(), -1, &raw, nullptr) != SQLITE_OK) return lines; // a PRAGMA
    const Owned statement{raw};
    while (raw != nullptr && sqlite3_step(raw) == SQLITE_ROW)
        if (const auto* line = reinterpret_cast<const char*>(sqlite3_column_text(raw, 3))) lines.emplace_back(line);
    return lines;
}

// An index with a WHERE of its own holds what is asked for alone: to walk it is no walk of its table.
bool is_partial(sqlite3* reader, std::string_view index) {
    sqlite3_stmt* raw = nullptr;
    sqlite3_prepare_v2(reader, "SELECT 1 FROM sqlite_schema WHERE name = ? AND sql LIKE '% WHERE %'", -1, &raw,
                       nullptr);
    const Owned statement{raw};
    if (raw == nullptr) return false;
    sqlite3_bind_text64(raw, 1, index.data(), index.size(), SQLITE_STATIC, SQLITE_UTF8);
    return sqlite3_step(raw) == SQLITE_ROW;
}

// The table or alias that a line of a plan walks; empty: it walks none, or SQLite's own, which take no index.
std::string_view walked(sqlite3* reader, std::string_view line) {
    constexpr std::string_view scan = "SCAN ", by = " INDEX ";
    if (!line.starts_with(scan) || line == "SCAN CONSTANT ROW" || line.starts_with("SCAN (")) return {};
    if (const auto at = line.find(by); at != std::string_view::npos && is_partial(reader, line.substr(at + by.size())))
        return {};
    line.remove_prefix(scan.size());
    return line.starts_with("sqlite_") ? std::string_view{} : line.substr(0, line.find(' '));
}

// An index that SQLite makes for one run: "SEARCH v USING AUTOMATIC COVERING INDEX (patient=? AND day=?)".
struct Made {
    std::string_view table; // or alias; empty: the line makes none
    std::vector<std::string> columns;
};

Made made_for_one_run(std::string_view line) {
    constexpr std::string_view search = "SEARCH ", by = " USING AUTOMATIC ", term = "=?", more = " AND ";
    const auto at = line.find(by), first = line.find('(', at), last = line.find(')', first);
    if (!line.starts_with(search) || at == std::string_view::npos || last == std::string_view::npos) return {};
    Made made{line.substr(search.size(), at - search.size()), {}};
    auto left = line.substr(first + 1, last - first - 1);
    for (std::size_t end = 0; (end = left.find(term)) != std::string_view::npos;) {
        made.columns.emplace_back(left.substr(0, end));
        left.remove_prefix(std::min(left.size(), end + term.size() + more.size()));
    }
    return made;
}

struct Token {
    std::string_view text;
    int depth = 0; // of brackets
};

bool is_name(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::vector<Token> tokens_of(std::string_view sql) {
    std::vector<Token> tokens;
    int depth = 0;
    for (std::size_t at = 0; at < sql.size();) {
        std::size_t end = at + 1;
        if (is_name(sql[at]))
            while (end < sql.size() && is_name(sql[end])) ++end;
        else if (sql[at] == '\'')
            end = std::min(sql.find('\'', end), sql.size() - 1) + 1;
        else if ((sql[at] == '<' || sql[at] == '>' || sql[at] == '=') && end < sql.size() &&
                 (sql[end] == '=' || sql[end] == '>'))
            ++end;
        if (sql[at] == ')') --depth;
        if (sql[at] != ' ' && sql[at] != '\n') tokens.push_back({sql.substr(at, end - at), depth});
        if (sql[at] == '(') ++depth;
        at = end;
    }
    return tokens;
}

bool is_equal(std::string_view text) {
    return text == "=" || text == "==" || text == "IS" || text == "IN";
}

bool is_range(std::string_view text) {
    return text == "<" || text == "<=" || text == ">" || text == ">=" || text == "BETWEEN";
}

// The part of a statement that speaks of one table of its FROM or UPDATE. An index is told by the columns that SQLite
// names, or by the equality terms of the WHERE in the same brackets, then by its first range or else by the order that
// is asked for.
class Clause {
public:
    Clause(sqlite3* reader, std::string_view sql, std::string_view named)
        : reader_{reader}, tokens_{tokens_of(sql)}, named_{named} {}

    std::string index() {
        if (!find_table() || !read_terms() || (equal_.empty() && range_.empty())) return {};
        for (const auto* more : {&range_, &order_}) {
            if (more->empty()) continue;
            equal_.insert(equal_.end(), more->begin(), more->end());
            break;
        }
        return create(equal_);
    }

    std::string index_of(const std::vector<std::string>& columns) { return find_table() ? create(columns) : ""; }

private:
    std::string create(const std::vector<std::string>& all) const {
        std::string name = table_, columns;
        for (const auto& column : std::span{all}.first(std::min(all.size(), index_columns_max))) {
            name += "_" + column;
            columns += (columns.empty() ? "" : ", ") + column;
        }
        return "CREATE INDEX " + name + " ON " + table_ + " (" + columns + ")";
    }
    bool is_column(const std::string& name) const {
        return sqlite3_table_column_metadata(reader_, "main", table_.c_str(), name.c_str(), nullptr, nullptr, nullptr,
                                             nullptr, nullptr) == SQLITE_OK;
    }
    bool is_table(const std::string& name) const {
        return sqlite3_table_column_metadata(reader_, "main", name.c_str(), nullptr, nullptr, nullptr, nullptr, nullptr,
                                             nullptr) == SQLITE_OK;
    }
    std::string text(std::size_t at) const {
        return at < tokens_.size() ? std::string{tokens_[at].text} : std::string{};
    }

    // Where the table stands behind FROM, JOIN or UPDATE: "outbox", "outbox AS this", "consent c".
    bool find_table() {
        for (std::size_t at = 1; at < tokens_.size(); ++at) {
            const auto before = tokens_[at - 1].text;
            if (before != "FROM" && before != "JOIN" && before != "UPDATE" && before != ",") continue;
            if (!is_table(text(at))) continue;
            const std::size_t alias = text(at + 1) == "AS" ? at + 2 : at + 1;
            if (text(at) != named_ && text(alias) != named_) continue;
            table_ = text(at);
            at_ = at;
            return true;
        }
        return false;
    }

    // A column of ours at `at`, by itself or behind our name and a point.
    std::string column(std::size_t at) const {
        const bool qualified = at > 1 && tokens_[at - 1].text == ".";
        if (qualified && tokens_[at - 2].text != named_) return {};
        const std::string name = text(at);
        return is_column(name) ? name : std::string{};
    }

    // False: what stands in the same brackets has an OR, which one index does not serve.
    bool read_terms() {
        const int depth = tokens_[at_].depth;
        bool in_where = false, in_order = false;
        for (std::size_t at = at_; at < tokens_.size() && tokens_[at].depth >= depth; ++at) {
            if (tokens_[at].depth > depth) continue;
            const auto word = tokens_[at].text;
            if (word == "WHERE") in_where = true;
            if (word == "ORDER" || word == "LIMIT" || word == "GROUP") in_where = false;
            if (word == "ORDER" || word == "LIMIT") in_order = word == "ORDER";
            if (in_where && word == "OR") return false;
            const std::string name = column(at);
            if (name.empty()) continue;
            const auto sign = at + 1 < tokens_.size() ? tokens_[at + 1].text : std::string_view{};
            if (in_where && is_equal(sign)) put(equal_, name);
            if (in_where && is_range(sign) && range_.empty()) put(range_, name);
            if (in_order) put(order_, name);
        }
        return true;
    }

    static void put(std::vector<std::string>& columns, const std::string& name) {
        if (std::ranges::find(columns, name) == columns.end()) columns.push_back(name);
    }

    sqlite3* reader_;
    std::vector<Token> tokens_;
    std::string_view named_;
    std::string table_;
    std::size_t at_ = 0;
    std::vector<std::string> equal_, range_, order_;
};

} // namespace

std::vector<Advice> advise(sqlite3* reader, const std::vector<StatementUse>& used, Which which) {
    std::vector<Advice> all;
    for (const StatementUse& use : used) {
        Advice one{use, plan_of(reader, use.sql), {}};
        bool needy = use.full_scan_steps > 0 || use.sorts > 0 || use.automatic_indexes > 0 || use.slow > 0;
        for (const auto& line : one.plan) {
            const auto made = made_for_one_run(line);
            const auto table = made.table.empty() ? walked(reader, line) : made.table;
            if (table.empty()) continue;
            needy = true;
            if (!one.index.empty()) continue;
            Clause clause{reader, use.sql.c_str(), table};
            one.index = made.table.empty() ? clause.index() : clause.index_of(made.columns);
        }
        if (which == Which::all || needy) all.push_back(std::move(one));
    }
    std::ranges::sort(all, [](const Advice& a, const Advice& b) {
        return a.use.time != b.use.time ? a.use.time > b.use.time : a.use.machine_steps > b.use.machine_steps;
    });
    return all;
}

} // namespace clinic::records
