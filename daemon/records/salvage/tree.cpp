#include "daemon/records/salvage/tree.h"

#include <algorithm>
#include <bit>
#include <memory>

#include "crypto/octets.h"

namespace clinic::salvage {
namespace {

using crypto::Page;
using View = std::span<const std::byte>;

constexpr std::size_t usable = crypto::page_plain_bytes;
constexpr std::size_t file_head_bytes = 100; // on page 1
constexpr std::size_t row_bytes_max = 64 * 1'048'576;
constexpr int levels_max = 40;
constexpr std::size_t free_list_at = 32;

template <class Unsigned>
Unsigned number_at(View bytes, std::size_t at) {
    return crypto::get_number<Unsigned>(bytes.subspan(at, sizeof(Unsigned)));
}

// SQLite's variable-length number; false: the bytes end before.
bool take_varint(View& bytes, std::uint64_t& value) {
    value = 0;
    for (std::size_t i = 0; i < 9; ++i) {
        if (i >= bytes.size()) return false;
        const auto byte = std::to_integer<std::uint64_t>(bytes[i]);
        value = i == 8 ? (value << 8U) | byte : (value << 7U) | (byte & 0x7FU);
        if (i == 8 || (byte & 0x80U) == 0) {
            bytes = bytes.subspan(i + 1);
            return true;
        }
    }
    return false;
}

std::size_t bytes_of(std::uint64_t serial) {
    constexpr std::size_t fixed[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0};
    return serial < std::size(fixed) ? fixed[serial] : static_cast<std::size_t>((serial - 12) / 2);
}

std::int64_t signed_number(View bytes) {
    auto value = static_cast<std::uint64_t>(std::to_integer<std::uint8_t>(bytes.front()) >= 0x80 ? -1 : 0);
    for (const std::byte byte : bytes) value = (value << 8U) | std::to_integer<std::uint64_t>(byte);
    return static_cast<std::int64_t>(value);
}

Value value_of(std::uint64_t serial, View bytes) {
    if (serial == 0) return std::monostate{};
    if (serial == 8 || serial == 9) return static_cast<std::int64_t>(serial - 8);
    if (serial == 7) return std::bit_cast<double>(signed_number(bytes));
    if (serial < 7) return signed_number(bytes);
    if (serial % 2 == 0) return bytes;
    return std::string_view{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// One page of a tree, and where its cells are.
struct Node {
    Page page{};
    PageNo number = 0;
    std::size_t head = 0; // where its header begins
    PageKind kind{};
    std::size_t cells = 0;

    bool interior() const { return kind == PageKind::table_interior || kind == PageKind::index_interior; }
    bool of_table() const { return kind == PageKind::table_interior || kind == PageKind::table_leaf; }
    std::size_t pointers() const { return head + (interior() ? 12 : 8); }
    // Empty: it lies outside the page.
    View cell(std::size_t i) const {
        const std::size_t at = number_at<std::uint16_t>(page, pointers() + 2 * i);
        if (at < pointers() + 2 * cells || at >= usable) return {};
        return View{page}.subspan(at, usable - at);
    }
    PageNo right() const { return number_at<std::uint32_t>(page, head + 8); }
};

std::optional<PageKind> kind_in(View page, PageNo number) {
    const auto kind = static_cast<PageKind>(page[number == 1 ? file_head_bytes : 0]);
    const bool known = kind == PageKind::index_interior || kind == PageKind::table_interior ||
                       kind == PageKind::index_leaf || kind == PageKind::table_leaf;
    return known ? std::optional{kind} : std::nullopt;
}

// nullopt: it does not open. Its kind is checked by the caller.
std::unique_ptr<Node> read_node(const crypto::StoreImage& image, PageNo number, bool& opens) {
    auto node = std::make_unique<Node>();
    opens = number >= 1 && number <= image.pages() && image.read(number, node->page);
    if (!opens) return nullptr;
    const auto kind = kind_in(node->page, number);
    if (!kind) return nullptr;
    node->number = number;
    node->head = number == 1 ? file_head_bytes : 0;
    node->kind = *kind;
    node->cells = number_at<std::uint16_t>(node->page, node->head + 3);
    if (node->pointers() + 2 * node->cells > usable) return nullptr;
    return node;
}

class Walk {
public:
    Walk(const crypto::StoreImage& image, const Visitor& visitor) : image_{image}, visitor_{visitor} {}

    void tree(PageNo number, std::optional<bool> of_table, int level) {
        if (number == 0 || number > image_.pages() || level > levels_max || !visitor_.enter(number))
            return visitor_.lost(Loss::senseless, number);
        bool opens = false;
        const auto node = read_node(image_, number, opens);
        if (!opens) return visitor_.lost(Loss::unreadable, number);
        if (!node || node->of_table() != of_table.value_or(node->of_table()))
            return visitor_.lost(Loss::senseless, number);
        visitor_.page(number);
        if (!node->interior()) return rows(*node);
        for (std::size_t i = 0; i < node->cells; ++i) {
            const View cell = node->cell(i);
            if (cell.size() < 4) {
                visitor_.lost(Loss::row, number);
                continue;
            }
            tree(number_at<std::uint32_t>(cell, 0), node->of_table(), level + 1);
            if (!node->of_table()) row(*node, cell.subspan(4));
        }
        tree(node->right(), node->of_table(), level + 1);
    }

    void rows(const Node& node) {
        for (std::size_t i = 0; i < node.cells; ++i) {
            const View cell = node.cell(i);
            const std::size_t child = node.interior() ? 4 : 0;
            if (cell.size() < child)
                visitor_.lost(Loss::row, node.number);
            else
                row(node, cell.subspan(child));
        }
    }

private:
    void row(const Node& node, View cell) {
        Row read;
        if (payload(node.kind == PageKind::table_leaf, cell, read))
            visitor_.row(std::move(read));
        else
            visitor_.lost(Loss::row, node.number);
    }

    bool payload(bool of_table, View cell, Row& out) {
        std::uint64_t size = 0;
        std::uint64_t rowid = 0;
        if (!take_varint(cell, size) || (of_table && !take_varint(cell, rowid)) || size > row_bytes_max) return false;
        out.rowid = static_cast<std::int64_t>(rowid);
        const std::size_t local = local_bytes(static_cast<std::size_t>(size), of_table);
        const bool spills = local < size;
        if (cell.size() < local + (spills ? 4 : 0)) return false;
        out.payload.reserve(static_cast<std::size_t>(size));
        out.payload.assign(cell.begin(), cell.begin() + static_cast<std::ptrdiff_t>(local));
        return !spills || overflow(number_at<std::uint32_t>(cell, local), static_cast<std::size_t>(size), out.payload);
    }

    static std::size_t local_bytes(std::size_t size, bool of_table) {
        const std::size_t most = of_table ? usable - 35 : (usable - 12) * 64 / 255 - 23;
        const std::size_t least = (usable - 12) * 32 / 255 - 23;
        if (size <= most) return size;
        const std::size_t local = least + (size - least) % (usable - 4);
        return local <= most ? local : least;
    }

    bool overflow(PageNo number, std::size_t size, crypto::Bytes& out) {
        const auto page = std::make_unique<Page>();
        while (out.size() < size) {
            if (number == 0 || number > image_.pages() || !visitor_.enter(number)) return false;
            if (!image_.read(number, *page)) {
                visitor_.lost(Loss::unreadable, number);
                return false;
            }
            visitor_.page(number);
            const std::size_t part = std::min(size - out.size(), usable - 4);
            out.insert(out.end(), page->begin() + 4, page->begin() + 4 + static_cast<std::ptrdiff_t>(part));
            number = number_at<std::uint32_t>(*page, 0);
        }
        return true;
    }

    const crypto::StoreImage& image_;
    const Visitor& visitor_;
};

} // namespace

std::optional<std::vector<Value>> decode_record(std::span<const std::byte> payload) {
    View head = payload;
    std::uint64_t head_bytes = 0;
    if (!take_varint(head, head_bytes) || head_bytes > payload.size()) return std::nullopt;
    const std::size_t used = payload.size() - head.size();
    if (head_bytes < used) return std::nullopt;
    head = head.first(static_cast<std::size_t>(head_bytes) - used);
    View body = payload.subspan(static_cast<std::size_t>(head_bytes));
    std::vector<Value> values;
    while (!head.empty()) {
        std::uint64_t serial = 0;
        if (!take_varint(head, serial) || serial == 10 || serial == 11) return std::nullopt;
        const std::size_t bytes = bytes_of(serial);
        if (bytes > body.size()) return std::nullopt;
        values.push_back(value_of(serial, body.first(bytes)));
        body = body.subspan(bytes);
    }
    if (!body.empty()) return std::nullopt;
    return values;
}

void walk_tree(const crypto::StoreImage& image, PageNo root, const Visitor& visitor) {
    Walk{image, visitor}.tree(root, std::nullopt, 0);
}

void walk_leaf(const crypto::StoreImage& image, PageNo page, const Visitor& visitor) {
    bool opens = false;
    if (const auto node = read_node(image, page, opens)) Walk{image, visitor}.rows(*node);
}

std::optional<PageKind> kind_of(const crypto::StoreImage& image, PageNo page) {
    bool opens = false;
    const auto node = read_node(image, page, opens);
    return node ? std::optional{node->kind} : std::nullopt;
}

void walk_free_list(const crypto::StoreImage& image, const Visitor& visitor) {
    const auto page = std::make_unique<Page>(), freed = std::make_unique<Page>();
    if (!image.read(1, *page)) return;
    PageNo trunk = number_at<std::uint32_t>(*page, free_list_at);
    while (trunk != 0) {
        if (trunk > image.pages() || !visitor.enter(trunk)) return visitor.lost(Loss::senseless, trunk);
        if (!image.read(trunk, *page)) return visitor.lost(Loss::unreadable, trunk);
        visitor.page(trunk);
        const std::size_t leaves = std::min<std::size_t>(number_at<std::uint32_t>(*page, 4), usable / 4 - 2);
        for (std::size_t i = 0; i < leaves; ++i) {
            const PageNo leaf = number_at<std::uint32_t>(*page, 8 + 4 * i);
            if (leaf == 0 || leaf > image.pages() || !visitor.enter(leaf)) continue;
            if (!image.read(leaf, *freed)) visitor.lost(Loss::unreadable, leaf);
            visitor.page(leaf);
        }
        trunk = number_at<std::uint32_t>(*page, 0);
    }
}

} // namespace clinic::salvage
