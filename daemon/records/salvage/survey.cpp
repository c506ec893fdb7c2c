#include "daemon/records/salvage/survey.h"

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "crypto/octets.h"

namespace clinic::salvage {
namespace {

constexpr std::size_t user_version_at = 60;

class Surveyor {
public:
    explicit Surveyor(const crypto::StoreImage& image) : image_{image}, taken_(image.pages() + 2) {} // also of no page

    Survey everything() && {
        read_first_page();
        if (out_.first_page)
            read_schema_tree();
        else
            find_schema();
        for (Tree& tree : out_.trees) walk(tree);
        walk_free_list(image_, {.page = [this](PageNo) { ++out_.free_pages; },
                                .lost = [this](Loss why, PageNo page) { lose(why, page, "free"); },
                                .enter = [this](PageNo page) { return take(page); }});
        look_at_the_rest();
        return std::move(out_);
    }

private:
    bool take(PageNo page) {
        if (taken_[page]) return false;
        taken_[page] = true;
        return true;
    }

    void lose(Loss why, PageNo page, const std::string& owner) {
        if (why == Loss::row || page == 0 || page > image_.pages() || !lost_.insert(page).second) return;
        out_.lost.push_back({page, owner, why});
    }

    void read_first_page() {
        const auto page = std::make_unique<crypto::Page>();
        out_.first_page = image_.read(1, *page);
        if (!out_.first_page) return lose(Loss::unreadable, 1, "schema");
        out_.schema_version =
            static_cast<int>(crypto::get_number<std::uint32_t>(std::span{*page}.subspan(user_version_at)));
    }

    void read_schema_tree() {
        walk_tree(image_, 1,
                  {.row = [this](Row&& row) { note(row); },
                   .lost = [this](Loss why, PageNo page) { lose(why, page, "schema"); },
                   .enter = [this](PageNo page) { return take(page); }});
    }

    // Page 1 is the root of the schema and its rows lie on pages below it: those have five columns, and say what they
    // are.
    void find_schema() {
        take(1);
        for (PageNo page = 2; page <= image_.pages(); ++page) {
            if (kind_of(image_, page) != PageKind::table_leaf) continue;
            bool is_schema = true;
            int rows = 0;
            walk_leaf(image_, page, {.row = [&](Row&& row) { is_schema = is_schema && entry_of(row), ++rows; }});
            if (!is_schema || rows == 0) continue;
            take(page);
            walk_leaf(image_, page,
                      {.row = [this](Row&& row) { note(row); }, .enter = [this](PageNo over) { return take(over); }});
        }
    }

    static std::optional<Tree> entry_of(const Row& row) {
        const auto values = decode_record(row.payload);
        if (!values || values->size() != 5) return std::nullopt;
        const auto* type = std::get_if<std::string_view>(&(*values)[0]);
        const auto* name = std::get_if<std::string_view>(&(*values)[1]);
        const auto* table = std::get_if<std::string_view>(&(*values)[2]);
        const auto* root = std::get_if<std::int64_t>(&(*values)[3]);
        if (type == nullptr || name == nullptr || table == nullptr || root == nullptr) return std::nullopt;
        if (*type != "table" && *type != "index" && *type != "view" && *type != "trigger") return std::nullopt;
        return Tree{.name = std::string{*name},
                    .table = std::string{*table},
                    .index = *type == "index",
                    .root = static_cast<PageNo>(*root)};
    }

    void note(const Row& row) {
        auto tree = entry_of(row);
        if (tree && tree->root != 0) out_.trees.push_back(std::move(*tree)); // a view and a trigger have none
    }

    void walk(Tree& tree) {
        walk_tree(image_, tree.root,
                  {.page = [&](PageNo) { ++tree.pages; },
                   .row = [&](Row&&) { ++tree.rows; },
                   .lost =
                       [&](Loss why, PageNo page) {
                           ++(why == Loss::row ? tree.rows_lost : tree.pages_lost);
                           lose(why, page, tree.name);
                       },
                   .enter = [this](PageNo page) { return take(page); }});
    }

    // What no tree and no list leads to: below a page that is lost, or lost itself.
    void look_at_the_rest() {
        const auto page = std::make_unique<crypto::Page>();
        for (PageNo number = 1; number <= image_.pages(); ++number) {
            if (taken_[number] || number == crypto::lock_page) continue;
            if (!image_.read(number, *page))
                lose(Loss::unreadable, number, "");
            else if (kind_of(image_, number))
                out_.stray.push_back(number);
        }
    }

    const crypto::StoreImage& image_;
    std::vector<bool> taken_;
    std::unordered_set<PageNo> lost_;
    Survey out_;
};

} // namespace

const Tree* Survey::find(std::string_view name) const {
    const auto found = std::ranges::find(trees, name, &Tree::name);
    return found == trees.end() ? nullptr : &*found;
}

Survey survey(const crypto::StoreImage& image) {
    return Surveyor{image}.everything();
}

void each_record(const crypto::StoreImage& image, const Survey& found, std::string_view table,
                 const std::function<void(std::int64_t, const std::vector<Value>&)>& each) {
    const Tree* named = found.find(table);
    if (named == nullptr) return;
    std::unordered_set<PageNo> entered; // in a tree that does not make sense a page may lead to itself
    walk_tree(image, named->root,
              {.row =
                   [&](Row&& row) {
                       if (const auto values = decode_record(row.payload)) each(row.rowid, *values);
                   },
               .enter = [&](PageNo page) { return entered.insert(page).second; }});
}

crypto::SlotId highest_key_slot(const crypto::StoreImage& image, const Survey& found) {
    constexpr std::size_t key_slot_column = 2; // of a row of `patient`
    crypto::SlotId highest{0};
    each_record(image, found, "patient", [&](std::int64_t, const std::vector<Value>& values) {
        const auto* slot =
            values.size() > key_slot_column ? std::get_if<std::int64_t>(&values[key_slot_column]) : nullptr;
        if (slot != nullptr && *slot <= crypto::Keystore::file_slots_max)
            highest.value = std::max(highest.value, *slot);
    });
    return highest;
}

} // namespace clinic::salvage
