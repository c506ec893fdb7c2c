// SQLite's b-trees read page by page, around what does not open. For a damaged store: SQLite itself gives up a whole
// tree for one page of it.
//   Bounds:  a tree of at most 40 levels; a row of at most 64 MiB.
//   Errors:  none: what cannot be read is told to the visitor, and the walk goes on.
//   Threads: one.
//   Source:  SQLite, "Database File Format", 1.6 and 2.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "crypto/seal.h"
#include "crypto/store_image.h"

namespace clinic::salvage {

using PageNo = std::uint32_t;

enum class PageKind : std::uint8_t { index_interior = 2, table_interior = 5, index_leaf = 10, table_leaf = 13 };

// A value of a record. Text and blobs point into the payload.
using Value = std::variant<std::monostate, std::int64_t, double, std::string_view, std::span<const std::byte>>;

// nullopt: not a record.
std::optional<std::vector<Value>> decode_record(std::span<const std::byte> payload);

struct Row {
    std::int64_t rowid = 0; // of a table's leaf
    crypto::Bytes payload;
};

enum class Loss : std::uint8_t {
    unreadable, // the page does not open
    senseless,  // it opens and is no page of this tree
    row,        // a row of the page, whose cell or overflow does not read
};

// What a walk tells.
struct Visitor {
    std::function<void(PageNo)> page = [](PageNo) {};                // belongs to the tree, and opens
    std::function<void(Row&&)> row = [](Row&&) {};                   // in the order of the tree
    std::function<void(Loss, PageNo)> lost = [](Loss, PageNo) {};    // the page that is lost, or that the row was on
    std::function<bool(PageNo)> enter = [](PageNo) { return true; }; // false: somebody has it already: senseless
};

// From the root down, depth first. A tree of a table (rowid) or of an index (also: a table without rowid).
void walk_tree(const crypto::StoreImage& image, PageNo root, const Visitor& visitor);
// The rows of one leaf page (for an index's interior page too), which nothing leads to.
void walk_leaf(const crypto::StoreImage& image, PageNo page, const Visitor& visitor);
// nullopt: it does not open, or is no page of a tree.
std::optional<PageKind> kind_of(const crypto::StoreImage& image, PageNo page);
// The free pages, as far as their list reads.
void walk_free_list(const crypto::StoreImage& image, const Visitor& visitor);

} // namespace clinic::salvage
