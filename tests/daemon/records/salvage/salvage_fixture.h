// A store with people in it, damaged where a test says, and what is in a store table by table.
#pragma once

#include <fstream>

#include "daemon/records/consents.h"
#include "daemon/records/salvage/aside.h"
#include "daemon/records/salvage/salvage.h"
#include "tests/daemon/records/dump.h"
#include "tests/daemon/records/records_fixture.h"

namespace clinic::salvage {

using records::Dump;
using records::dump;
using records::PatientId;

class SalvageTest : public records::Records {
protected:
    static constexpr int people = 300;
    static constexpr std::uint64_t page = crypto::page_bytes;

    void SetUp() override {
        Records::SetUp();
        for (int i = 0; i < people; ++i) {
            auto change = records::person(std::to_string(i).c_str(), ("Family" + std::to_string(i)).c_str());
            change.phones = records::said_all({"555-01" + std::to_string(10'000 + i)});
            upsert(change);
        }
        ASSERT_TRUE(
            store_->write([](records::Transaction& txn) { return set_setting(txn, "policy", R"({"basis":"baa"})"); }));
        store_.reset();
        sound_ = dump(old());
        sound_bytes_ = content(database());
    }

    std::filesystem::path old() const { return options_.folder; }
    std::filesystem::path saved() const { return folder_ / "saved"; }
    std::filesystem::path database() const { return old() / "records.db"; }
    std::filesystem::path keys() const { return old() / "keys.db"; }

    static std::string content(const std::filesystem::path& path) {
        std::ifstream in{path, std::ios::binary};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    static void put(const std::filesystem::path& path, const std::string& bytes) {
        std::ofstream{path, std::ios::binary | std::ios::trunc} << bytes;
    }
    static void flip(const std::filesystem::path& path, std::uint64_t at) {
        std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
        file.seekg(static_cast<std::streamoff>(at));
        const int byte = file.get();
        file.seekp(static_cast<std::streamoff>(at));
        file.put(static_cast<char>(byte ^ 0x10));
    }
    void damage(PageNo number) const { flip(database(), crypto::page_offset(number) + 100); }

    crypto::StoreImage image() const {
        auto opened = crypto::StoreImage::open(database(), records::slot_of('k'));
        EXPECT_TRUE(opened) << opened.error().what.c_str();
        return std::move(*opened);
    }
    // The root, and pages that it leads to.
    PageNo root_of(const std::string& tree) const { return survey(image()).find(tree)->root; }
    std::vector<PageNo> leaves_of(const std::string& tree) const {
        const auto store = image();
        std::vector<PageNo> leaves;
        walk_tree(store, survey(store).find(tree)->root, {.page = [&](PageNo number) {
                      const auto kind = kind_of(store, number);
                      if (kind == PageKind::table_leaf || kind == PageKind::index_leaf) leaves.push_back(number);
                  }});
        return leaves;
    }

    Result<Salvaged> try_salvage() { return salvage(old(), saved(), records::slot_of('k'), clock_); }
    Salvaged save() {
        const auto before = content(database()), keys_before = content(keys());
        auto done = try_salvage();
        EXPECT_TRUE(done) << done.error().what.c_str() << ' ' << done.error().native;
        EXPECT_EQ(content(database()), before) << "the old files stay as they are";
        EXPECT_EQ(content(keys()), keys_before);
        EXPECT_FALSE(std::filesystem::exists(folder_ / "saved.unfinished"));
        return done ? *done : Salvaged{};
    }
    void open_saved() {
        options_.folder = saved();
        options_.make = false;
        reopen();
    }
    static const TableSalvaged& of(const Salvaged& salvaged, std::string_view table) {
        return *std::ranges::find(salvaged.tables, table, &TableSalvaged::table);
    }

    // What a salvage writes by itself.
    static bool is_its_own(const std::string& table) { return table == "audit_link" || table == "sqlite_sequence"; }
    // No row that was not there; the counts of the answer are the rows.
    void expect_nothing_invented(const Salvaged& salvaged) {
        const auto after = dump(saved());
        for (const auto& [table, rows] : after) {
            if (is_its_own(table) || table.starts_with("sqlite_")) continue;
            std::multiset<std::string> invented;
            std::ranges::set_difference(rows, sound_[table], std::inserter(invented, invented.end()));
            if (table == "audit_subject" || table == "identifier_token") continue; // written anew with the indexes
            // A row that holds the keys of who is lost, and how many that are.
            const bool is_about_people = table == "patient" || table == "setting";
            const std::size_t placeholders = is_about_people && !of(salvaged, "patient").whole() ? 1 : 0;
            EXPECT_LE(invented.size(), placeholders) << table << ' ' << (invented.empty() ? "" : *invented.begin());
        }
    }

    Dump sound_;
    std::string sound_bytes_;
};

} // namespace clinic::salvage
