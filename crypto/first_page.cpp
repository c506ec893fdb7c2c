#include "crypto/first_page.h"

#include <algorithm>
#include <string_view>

#include "crypto/octets.h"

namespace clinic::crypto {

Page empty_first_page() {
    Page page{};
    const std::span<std::byte> bytes{page};
    constexpr std::string_view magic{"SQLite format 3\0", 16};
    std::ranges::copy(std::as_bytes(std::span{magic}), bytes.begin());
    put_number(bytes.subspan(page1_page_size_at), static_cast<std::uint16_t>(page_bytes));
    page[18] = page[19] = std::byte{2}; // written and read through a WAL
    page[page1_reserve_at] = std::byte{trailer_bytes};
    page[21] = std::byte{64}; // payload fractions: fixed by SQLite's format
    page[22] = page[23] = std::byte{32};
    page[31] = std::byte{1};     // one page long
    page[100] = std::byte{0x0D}; // an empty leaf: the schema table
    put_number(bytes.subspan(105), static_cast<std::uint16_t>(page_plain_bytes));
    return page;
}

bool is_our_first_page(std::span<const std::byte> page) {
    return get_number<std::uint16_t>(page.subspan(page1_page_size_at)) == page_bytes &&
           page[page1_reserve_at] == std::byte{trailer_bytes};
}

} // namespace clinic::crypto
