// The rows of a damaged store into a new one that has our tables and none of our triggers.
//   Bounds:  one row in memory, and 32 bytes for each person.
//   Errors:  full, system. A row that the new store does not take is set aside.
//   Threads: one.
#pragma once

#include <string>
#include <unordered_set>
#include <vector>

#include "daemon/records/salvage/aside.h"
#include "daemon/records/salvage/salvage.h"
#include "daemon/records/salvage/shape.h"

namespace clinic::salvage {

class Copier {
public:
    Copier(const crypto::StoreImage& image, const Survey& found, records::Connection& to, Aside& aside)
        : image_{image}, found_{found}, to_{to}, aside_{aside} {}

    Result<void> run(Salvaged& into); // in transactions of its own, checkpointed as it goes

private:
    using Each = std::function<void(const Row&, const std::vector<Value>&)>;

    void place_strays();
    const Shape* home_of(PageNo page, PageKind kind) const;
    bool may_be_home(const Shape& shape) const;
    void each_row(const Shape& shape, TableSalvaged* counts, const Each& each) const;
    void find_people(const Shape& patient);
    bool is_about_nobody(const Shape& shape, const std::vector<Value>& values) const;
    Result<void> copy_table(const Shape& shape, TableSalvaged& counts);
    Result<void> keep_numbers(); // of AUTOINCREMENT: none is given twice
    Result<void> commit_some();

    const crypto::StoreImage& image_;
    const Survey& found_;
    records::Connection& to_;
    Aside& aside_;
    std::vector<Shape> shapes_;
    std::vector<std::pair<PageNo, std::string>> placed_; // stray pages and their tables
    std::vector<PageNo> homeless_;
    std::unordered_set<std::string> people_;
    std::int64_t uncommitted_ = 0;
};

} // namespace clinic::salvage
