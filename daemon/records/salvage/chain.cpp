#include "daemon/records/salvage/chain.h"

#include <algorithm>

#include "daemon/audit/trail.h"

namespace clinic::salvage {
namespace {

// Columns of audit_link as its records hold them.
constexpr std::size_t at_column = 1, kind_column = 2, refers_column = 3, actor_id_column = 5, columns = 10;

std::int64_t integer(const std::vector<Value>& values, std::size_t column) {
    const auto* number = column < values.size() ? std::get_if<std::int64_t>(&values[column]) : nullptr;
    return number == nullptr ? 0 : *number;
}

class Numbers {
public:
    void link(std::int64_t number, const std::vector<Value>& values) {
        missing(newest_ + 1, number - 1);
        newest_ = std::max(newest_, number);
        if (integer(values, kind_column) == audit::kind_lost && said_.size() < audit::gaps_max)
            said_.push_back({integer(values, refers_column), integer(values, actor_id_column), number,
                             Timestamp{integer(values, at_column)}});
    }
    void given(std::int64_t number) { given_ = std::max(given_, number); }

    std::vector<audit::Gap> gaps() && {
        missing(newest_ + 1, given_);
        audit::mark_said(gaps_, said_);
        return std::move(gaps_);
    }

private:
    void missing(std::int64_t first, std::int64_t last) {
        if (first > last) return;
        if (gaps_.size() == audit::gaps_max)
            gaps_.back().last = last;
        else
            gaps_.push_back({first, last});
    }
    std::int64_t newest_ = 0, given_ = 0;
    std::vector<audit::Gap> gaps_, said_;
};

} // namespace

std::vector<audit::Gap> missing_links(const crypto::StoreImage& image, const Survey& found) {
    Numbers numbers;
    each_record(image, found, "audit_link", [&](std::int64_t number, const std::vector<Value>& values) {
        if (values.size() == columns) numbers.link(number, values);
    });
    each_record(image, found, "sqlite_sequence", [&](std::int64_t, const std::vector<Value>& values) {
        const auto* table = values.size() == 2 ? std::get_if<std::string_view>(&values[0]) : nullptr;
        if (table != nullptr && *table == "audit_link") numbers.given(integer(values, 1));
    });
    each_record(image, found, "audit_subject",
                [&](std::int64_t, const std::vector<Value>& values) { numbers.given(integer(values, 0)); });
    return std::move(numbers).gaps();
}

} // namespace clinic::salvage
