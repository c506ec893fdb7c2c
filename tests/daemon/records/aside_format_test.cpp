// What a salvage sets aside is what docs/store-format.md says of it: a reader written from that page opens it.
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/crypto/format_reader.h"
#include "tests/daemon/records/salvage/salvage_fixture.h"

namespace clinic::salvage {
namespace {

using format::Octets;
using nlohmann::json;

Octets octets_of(const std::string& hexadecimal) {
    Octets made;
    for (std::size_t at = 0; at + 2 <= hexadecimal.size(); at += 2)
        made.push_back(static_cast<unsigned char>(std::stoul(hexadecimal.substr(at, 2), nullptr, 16)));
    return made;
}

// As SQLite's page of its file format has it: a record of nothing but BLOBs, as SQLite quotes them.
std::string quoted_blobs(const Octets& record) {
    std::ostringstream out;
    std::size_t at = 1, body = record.at(0); // lengths below 128 are one byte
    for (; at < record.at(0); ++at) {
        std::size_t type = record.at(at);
        if (type >= 128) type = (type & 127U) << 7U | record.at(++at);
        EXPECT_TRUE(type >= 12 && type % 2 == 0) << "no BLOB";
        out << (body == record.at(0) ? "X'" : ",X'") << std::hex << std::uppercase << std::setfill('0');
        for (const auto octet : format::slice(record, body, (type - 12) / 2)) out << std::setw(2) << unsigned{octet};
        out << '\'';
        body += (type - 12) / 2;
    }
    EXPECT_EQ(body, record.size());
    return out.str();
}

class AsideFormat : public SalvageTest {};

TEST_F(AsideFormat, IsWhatItsPageSays) {
    const auto lost = leaves_of("patient").at(2);
    damage(lost);
    const auto salvaged = save();
    ASSERT_GT(of(salvaged, "identifier").rows_aside, 0);

    const Octets sealed = format::file(saved() / "salvage.sealed"), database = format::file(saved() / "records.db");
    EXPECT_EQ(format::text(format::slice(sealed, 0, 16)), (std::string{"ClinicEdgeAside\0", 16}));
    const auto said =
        json::parse(format::text(format::opened_aside(sealed, database, Octets(32, 'k'))), nullptr, false);
    ASSERT_TRUE(said.is_object()) << "it does not open";
    EXPECT_EQ(said.at("version"), 1);
    EXPECT_EQ(said.at("not_kept"), 0);
    EXPECT_EQ(said.at("lost_pages"), json::array({{{"page", lost}, {"of", "patient"}, {"why", "unreadable"}}}));
    EXPECT_EQ(said.at("rows"), said.at("kept").size());
    std::int64_t identifiers = 0;
    for (const auto& row : said.at("kept")) {
        if (row.at("table") != "identifier") continue;
        ++identifiers;
        EXPECT_EQ(row.at("row"), 0) << "a table without rowid";
        EXPECT_EQ(row.at("why"), "the person it belongs to is lost");
        const auto values = quoted_blobs(octets_of(row.at("payload").get<std::string>()));
        EXPECT_TRUE(sound_["identifier"].contains(values)) << "bytes of a row that was there";
    }
    EXPECT_EQ(identifiers, of(salvaged, "identifier").rows_aside);

    EXPECT_TRUE(format::store_key(database, Octets(32, 'x')).empty());
    const Octets old_one = format::file(old() / "records.db");
    EXPECT_EQ(format::store_uuid(database), format::store_uuid(old_one));
    EXPECT_EQ(format::store_key(database, Octets(32, 'k')), format::store_key(old_one, Octets(32, 'k')));
}

} // namespace
} // namespace clinic::salvage
