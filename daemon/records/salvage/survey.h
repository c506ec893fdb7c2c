// Which page of a store belongs to what, and what is lost of each table.
//   Bounds:  a bit of memory a page.
//   Errors:  none: damage is the finding.
//   Threads: one.
#pragma once

#include <string>
#include <vector>

#include "crypto/keystore.h"
#include "daemon/records/salvage/tree.h"

namespace clinic::salvage {

// A table or an index, as the schema names it: a word of the program's, never of a person.
struct Tree {
    std::string name, table; // of a table both are the same
    bool index = false;
    PageNo root = 0;
    std::int64_t pages = 0, rows = 0;
    std::int64_t pages_lost = 0; // of those that a page of the tree leads to
    std::int64_t rows_lost = 0;  // on pages that open
    bool whole() const { return pages_lost == 0 && rows_lost == 0; }
};

struct LostPage {
    PageNo page = 0;
    std::string owner; // of a tree its name; "" where nobody knows; "free", "schema"
    Loss why{};
};

struct Survey {
    bool first_page = true; // false: it does not open, so what the trees are was found page by page
    int schema_version = 0; // PRAGMA user_version; 0: not known
    std::vector<Tree> trees;
    std::vector<LostPage> lost; // each once
    std::vector<PageNo> stray;  // pages of trees that nothing leads to any more
    std::int64_t free_pages = 0;
    const Tree* find(std::string_view name) const;
};

Survey survey(const crypto::StoreImage& image);
// The rows of a table that its root leads to, as far as they read.
void each_record(const crypto::StoreImage& image, const Survey& found, std::string_view table,
                 const std::function<void(std::int64_t rowid, const std::vector<Value>&)>& each);
// Of any person whose row reads; 0: of none.
crypto::SlotId highest_key_slot(const crypto::StoreImage& image, const Survey& found);

} // namespace clinic::salvage
