#include "daemon/records/salvage/copy.h"

#include <algorithm>
#include <map>

namespace clinic::salvage {
namespace {

using records::OwnedStatement;
using records::sqlite_error;

constexpr std::int64_t rows_a_transaction = 5'000;
// Numbers that may have been given and are lost are passed over.
constexpr std::int64_t numbers_passed_over = 1'000'000;

std::string bytes_of(const Value& value) {
    const auto* blob = std::get_if<std::span<const std::byte>>(&value);
    return blob == nullptr ? std::string{} : std::string{reinterpret_cast<const char*>(blob->data()), blob->size()};
}

int bind(sqlite3_stmt* statement, int at, const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) return sqlite3_bind_int64(statement, at, *number);
    if (const auto* real = std::get_if<double>(&value)) return sqlite3_bind_double(statement, at, *real);
    if (const auto* text = std::get_if<std::string_view>(&value))
        return sqlite3_bind_text64(statement, at, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
    if (const auto* blob = std::get_if<std::span<const std::byte>>(&value))
        return blob->empty() ? sqlite3_bind_zeroblob(statement, at, 0)
                             : sqlite3_bind_blob64(statement, at, blob->data(), blob->size(), SQLITE_STATIC);
    return sqlite3_bind_null(statement, at);
}

// INSERT of the first `columns` of a record; the others take what their migration gives them.
std::string insert_of(const Shape& shape, std::size_t columns) {
    std::string names, places;
    const auto add = [&](const std::string& name, std::size_t parameter) {
        if (!names.empty()) names += ", ";
        if (!places.empty()) places += ", ";
        names += name;
        places += '?';
        places += std::to_string(parameter);
    };
    const bool own_rowid = std::ranges::any_of(shape.columns, &Column::is_rowid);
    if (shape.with_rowid && !own_rowid) add("rowid", 1);
    for (std::size_t i = 0; i < columns; ++i) add(shape.columns[i].name, shape.columns[i].is_rowid ? 1 : i + 2);
    return "INSERT INTO " + shape.name + " (" + names + ") VALUES (" + places + ")";
}

class Inserter {
public:
    Inserter(records::Connection& to, const Shape& shape) : to_{to}, shape_{shape} {}

    // False: the new store does not take it.
    Result<bool> put(std::int64_t rowid, const std::vector<Value>& values) {
        auto& statement = by_columns_[values.size()];
        if (!statement) {
            auto made = prepare(to_, insert_of(shape_, values.size()));
            CLINIC_TRY(made);
            statement = std::move(*made);
        }
        sqlite3_stmt* insert = statement.get();
        if (shape_.with_rowid) sqlite3_bind_int64(insert, 1, rowid);
        for (std::size_t i = 0; i < values.size(); ++i)
            if (!shape_.columns[i].is_rowid) bind(insert, static_cast<int>(i) + 2, values[i]);
        const int code = sqlite3_step(insert);
        sqlite3_reset(insert);
        sqlite3_clear_bindings(insert);
        if (code == SQLITE_DONE) return true;
        const auto why = sqlite_error(to_.handle(), code, "a row cannot be written into the new store");
        if (why.code == Errc::conflict || why.code == Errc::corrupt) return false;
        return why;
    }

private:
    records::Connection& to_;
    const Shape& shape_;
    std::map<std::size_t, OwnedStatement> by_columns_;
};

bool all_fit(const crypto::StoreImage& image, PageNo page, const Shape& shape) {
    bool fits = true;
    walk_leaf(image, page, {.row = [&](Row&& row) {
                  const auto values = decode_record(row.payload);
                  fits = fits && values && shape.fits(*values);
              }});
    return fits;
}

} // namespace

bool Copier::may_be_home(const Shape& shape) const {
    const Tree* tree = found_.find(shape.name);
    return tree == nullptr || tree->pages_lost > 0;
}

// The one that lost pages, is of that kind and whose rows these can be; null: none, or more than one.
const Shape* Copier::home_of(PageNo page, PageKind kind) const {
    const Shape* home = nullptr;
    for (const Shape& shape : shapes_) {
        if (!shape.is_of(kind) || !may_be_home(shape) || !all_fit(image_, page, shape)) continue;
        if (home != nullptr) return nullptr;
        home = &shape;
    }
    return home;
}

void Copier::place_strays() {
    for (const PageNo page : found_.stray) {
        const auto kind = kind_of(image_, page);
        if (!kind || *kind == PageKind::table_interior) continue; // it holds no row
        const Shape* home = home_of(page, *kind);
        if (home == nullptr)
            homeless_.push_back(page);
        else if (!home->index)
            placed_.emplace_back(page, home->name);
    }
}

void Copier::each_row(const Shape& shape, TableSalvaged* counts, const Each& each) const {
    std::vector<bool> taken(image_.pages() + 1);
    const Visitor visitor{.row =
                              [&](Row&& row) {
                                  const auto values = decode_record(row.payload);
                                  if (values && shape.fits(*values)) return each(row, *values);
                                  if (counts == nullptr) return;
                                  ++counts->rows_aside;
                                  aside_.add(shape.name, "it is no row of this table", row.rowid, row.payload);
                              },
                          .lost =
                              [&](Loss why, PageNo) {
                                  if (counts != nullptr) ++(why == Loss::row ? counts->rows_lost : counts->pages_lost);
                              },
                          .enter =
                              [&](PageNo page) {
                                  const bool first = !taken[page];
                                  taken[page] = true;
                                  return first;
                              }};
    if (const Tree* tree = found_.find(shape.name))
        walk_tree(image_, tree->root, visitor);
    else if (counts != nullptr)
        ++counts->pages_lost; // its root, and with it all that it led to
    for (const auto& [page, table] : placed_)
        if (table == shape.name) walk_leaf(image_, page, visitor);
}

// Those whose row is there; one that was merged, only with who it was merged into.
void Copier::find_people(const Shape& patient) {
    const auto id = patient.find("id"), merged = patient.find("merged_into");
    std::vector<std::pair<std::string, std::string>> followers;
    each_row(patient, nullptr, [&](const Row&, const std::vector<Value>& values) {
        std::string survivor = bytes_of(values[*merged]);
        if (survivor.empty())
            people_.insert(bytes_of(values[*id]));
        else
            followers.emplace_back(bytes_of(values[*id]), std::move(survivor));
    });
    std::vector<std::string> merged_people;
    for (auto& [who, survivor] : followers)
        if (people_.contains(survivor)) merged_people.push_back(std::move(who));
    people_.insert(merged_people.begin(), merged_people.end());
}

// A row about a person that is lost would lead to nobody: the next message makes a new one.
bool Copier::is_about_nobody(const Shape& shape, const std::vector<Value>& values) const {
    const auto column = shape.find(shape.name == "patient" ? "id" : "patient");
    if (!column || *column >= values.size()) return false;
    const std::string who = bytes_of(values[*column]);
    return !who.empty() && !people_.contains(who);
}

Result<void> Copier::commit_some() {
    if (uncommitted_ == 0) return {};
    uncommitted_ = 0;
    CLINIC_TRY(to_.run("COMMIT"));
    CLINIC_TRY(to_.checkpoint(SQLITE_CHECKPOINT_TRUNCATE));
    return {};
}

Result<void> Copier::copy_table(const Shape& shape, TableSalvaged& counts) {
    Inserter inserter{to_, shape};
    Result<void> failed;
    each_row(shape, &counts, [&](const Row& row, const std::vector<Value>& values) {
        if (!failed) return;
        const auto set_aside = [&](Literal why) {
            ++counts.rows_aside;
            aside_.add(shape.name, why, row.rowid, row.payload);
        };
        if (is_about_nobody(shape, values)) return set_aside("the person it belongs to is lost");
        if (uncommitted_ == 0) failed = to_.run("BEGIN IMMEDIATE");
        if (!failed) return;
        ++uncommitted_;
        const auto put = inserter.put(row.rowid, values);
        if (!put) {
            failed = put.error();
            return;
        }
        ++(*put ? counts.rows : counts.rows_aside);
        if (!*put) aside_.add(shape.name, "another row has its place", row.rowid, row.payload);
        if (uncommitted_ >= rows_a_transaction) failed = commit_some();
    });
    CLINIC_TRY(failed);
    return commit_some();
}

Result<void> Copier::keep_numbers() {
    std::map<std::string, std::int64_t> given;
    const Tree* tree = found_.find("sqlite_sequence");
    if (tree != nullptr)
        walk_tree(image_, tree->root, {.row = [&](Row&& row) {
                      const auto values = decode_record(row.payload);
                      if (!values || values->size() != 2) return;
                      const auto* table = std::get_if<std::string_view>(&(*values)[0]);
                      const auto* newest = std::get_if<std::int64_t>(&(*values)[1]);
                      if (table != nullptr && newest != nullptr) given[std::string{*table}] = *newest;
                  }});
    const auto& older = image_.wal().older;
    const bool sure = tree != nullptr && tree->whole() && std::ranges::find(older, tree->root) == older.end();
    const Tree* chain = found_.find("audit_link");
    const bool chain_sure = sure || (chain != nullptr && chain->whole() && older.empty());
    for (const Shape& shape : shapes_) {
        if (shape.index || !shape.with_rowid) continue;
        const auto found = given.find(shape.name);
        // A number of the chain that is passed over is said to be lost, so none is without need.
        const std::int64_t over = (shape.name == "audit_link" ? chain_sure : sure) ? 0 : numbers_passed_over;
        const auto update = prepare(to_, "UPDATE sqlite_sequence SET seq = max(seq, ?1) + ?2 WHERE name = ?3");
        CLINIC_TRY(update);
        const auto insert = prepare(to_, "INSERT INTO sqlite_sequence (name, seq) SELECT ?3, ?1 + ?2 WHERE ?1 > 0"
                                         " AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?3)");
        CLINIC_TRY(insert);
        for (const auto* statement : {&*insert, &*update}) {
            sqlite3_bind_int64(statement->get(), 1, found == given.end() ? 0 : found->second);
            sqlite3_bind_int64(statement->get(), 2, statement == &*insert ? 0 : over);
            sqlite3_bind_text(statement->get(), 3, shape.name.c_str(), -1, SQLITE_STATIC);
            if (const int code = sqlite3_step(statement->get()); code != SQLITE_DONE)
                return sqlite_error(to_.handle(), code, "the numbers of the new store cannot be set");
        }
    }
    return {};
}

Result<void> Copier::run(Salvaged& into) {
    auto made = shapes(to_);
    CLINIC_TRY(made);
    shapes_ = std::move(*made);
    place_strays();
    find_people(shapes_.front());
    for (const Shape& shape : shapes_) {
        if (shape.index) continue;
        into.tables.push_back({.table = shape.name});
        CLINIC_TRY(copy_table(shape, into.tables.back()));
    }
    for (const PageNo page : homeless_)
        walk_leaf(image_, page, {.row = [&](Row&& row) {
                      ++into.rows_aside_of_nobody;
                      aside_.add("", "nothing leads to it", row.rowid, row.payload);
                  }});
    return keep_numbers();
}

} // namespace clinic::salvage
