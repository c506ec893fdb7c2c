#include "daemon/records/salvage/lost.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "crypto/store_image.h"

namespace clinic::salvage {
namespace {

constexpr std::size_t parts_max = 6; // named; what is beyond is counted

constexpr std::array words{
    std::pair{"patient", "people"},
    std::pair{"raw_message", "messages as they came"},
    std::pair{"consent", "consents"},
    std::pair{"appointment", "appointments"},
    std::pair{"visit", "appointments"},
    std::pair{"quarantine", "the quarantine"},
    std::pair{"audit_link", "the audit chain"},
    std::pair{"audit_subject", "the audit chain"},
    std::pair{"outbox", "what waits for GHL"},
    std::pair{"ledger", "the ledger"},
    std::pair{"link", "links to GHL"},
    std::pair{"setting", "settings"},
    std::pair{"schema", "the list of tables"},
    std::pair{"free", "free room, where nothing is lost"},
};

// A salvage writes these anew, from what is sealed with the people.
constexpr std::array written_anew{"identifier", "identifier_token", "patient_token"};

std::string said_of(const Survey& found, const std::string& owner) {
    if (owner.empty()) return "pages to which nothing leads any more";
    const Tree* tree = found.find(owner);
    if (std::ranges::count(written_anew, owner) != 0 || (tree != nullptr && tree->index))
        return owner + ", which a salvage writes anew";
    const auto* known = std::ranges::find(words, owner, [](const auto& one) { return std::string{one.first}; });
    if (known == words.end()) return owner;
    return tree == nullptr ? known->second : std::string{known->second} + " (" + owner + ")";
}

} // namespace

std::string what_is_lost(const Survey& found) {
    std::map<std::string, std::int64_t> pages; // by what they are of
    for (const LostPage& page : found.lost) ++pages[page.owner];
    std::string said;
    std::size_t parts = 0;
    std::int64_t beyond = 0;
    for (const auto& [owner, count] : pages) {
        if (++parts > parts_max)
            beyond += count;
        else
            said += (said.empty() ? "" : ", ") + std::to_string(count) + (count == 1 ? " page of " : " pages of ") +
                    said_of(found, owner);
    }
    return beyond == 0 ? said : said + ", and " + std::to_string(beyond) + " more";
}

std::string what_is_lost(const std::filesystem::path& folder, const crypto::KeySlot& slot) {
    const auto image = crypto::StoreImage::open(folder / "records.db", slot);
    if (!image) return "";
    std::string said = image->pages() <= told_pages_max
                           ? what_is_lost(survey(*image))
                           : "the store is large, and clinicctl store check says it page by page";
    const auto add = [&said](const std::string& part) { said += (said.empty() ? "" : ", ") + part; };
    const auto& wal = image->wal();
    if (!wal.damaged.empty())
        add(std::to_string(wal.damaged.size()) + (wal.damaged.size() == 1 ? " page" : " pages") +
            " of what was written last (WAL)");
    if (wal.head_damaged) add("the start of what was written last (WAL), which a salvage reads without it");
    if (wal.foreign) add("what was written last: the WAL is of another store");
    if (image->damaged_superblocks() == crypto::superblocks) add("both superblocks, which a salvage writes anew");
    return said;
}

} // namespace clinic::salvage
