// A second way into a closed store, as somebody has it who holds the key and a SQL shell.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "crypto/base/owned.h"
#include "crypto/connection.h"
#include "crypto/sealed_vfs.h"

namespace clinic::records {

// From today's schema to that of the first version.
inline constexpr const char* back_to_first_version =
    "DROP TABLE beside; ALTER TABLE outbox DROP COLUMN heard_us;"
    "DROP INDEX ledger_also; ALTER TABLE outbox DROP COLUMN joined; ALTER TABLE ledger DROP COLUMN also;"
    "DROP INDEX outbox_urgent; ALTER TABLE outbox DROP COLUMN hold_until; ALTER TABLE said DROP COLUMN written_at;"
    "DROP INDEX outbox_dead; ALTER TABLE outbox DROP COLUMN trace; ALTER TABLE quarantine DROP COLUMN replays; DROP "
    "INDEX ledger_day;"
    "ALTER TABLE ledger DROP COLUMN destination; ALTER TABLE ledger DROP COLUMN kind; ALTER TABLE ledger DROP COLUMN "
    "said;"
    "DROP TABLE crm_object; DROP TABLE crm_conflict; DROP TABLE crm_choice; DROP TABLE crm_never;"
    "DROP TABLE crm_walk;"
    "DROP INDEX appointment_open_start;"
    "DROP INDEX patient_aside; DROP INDEX consent_to_end; ALTER TABLE consent DROP COLUMN ended;"
    "CREATE INDEX consent_expiry ON consent (expires_at);"
    "DROP INDEX patient_erased; DROP INDEX outbox_parked; DROP VIEW quarantine_waits; DROP INDEX quarantine_waiting; "
    "ALTER TABLE visit DROP COLUMN taken_back;"
    "ALTER TABLE quarantine DROP COLUMN replayed_at;"
    "ALTER TABLE quarantine DROP COLUMN replayed_as; ALTER TABLE ledger DROP COLUMN unsure_since;"
    "ALTER TABLE said DROP COLUMN unsure; ALTER TABLE link DROP COLUMN shell; PRAGMA user_version = 1";

class RawDatabase {
public:
    RawDatabase(const std::filesystem::path& folder, const crypto::KeySlot& slot) {
        auto vfs = crypto::SealedVfs::open(folder / "records.db", slot, crypto::IfAbsent::fail);
        EXPECT_TRUE(vfs);
        if (!vfs) return;
        vfs_ = std::move(*vfs);
        sqlite3* raw = nullptr;
        EXPECT_EQ(sqlite3_open_v2((folder / "records.db").c_str(), &raw, SQLITE_OPEN_READWRITE, vfs_->name()),
                  SQLITE_OK);
        db_.reset(raw);
        EXPECT_TRUE(crypto::set_page_reserve(raw));
        run("PRAGMA journal_mode=WAL");
    }
    void run(const char* sql) {
        ASSERT_TRUE(db_);
        EXPECT_EQ(sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db_.get());
    }
    // The text of a column of every row.
    std::vector<std::string> texts(const std::string& sql, int column = 0) {
        std::vector<std::string> texts;
        sqlite3_stmt* raw = nullptr;
        EXPECT_EQ(sqlite3_prepare_v2(db_.get(), sql.c_str(), -1, &raw, nullptr), SQLITE_OK)
            << sqlite3_errmsg(db_.get()) << ": " << sql;
        const std::unique_ptr<sqlite3_stmt, base::FreedBy<sqlite3_finalize>> statement{raw};
        while (statement && sqlite3_step(raw) == SQLITE_ROW)
            texts.emplace_back(reinterpret_cast<const char*>(sqlite3_column_text(raw, column)));
        return texts;
    }
    // SQLite's own handle of the database (SQLITE_FCNTL_FILE_POINTER) or its WAL (…JOURNAL_POINTER).
    sqlite3_file* file(int which) {
        sqlite3_file* found = nullptr;
        EXPECT_EQ(sqlite3_file_control(db_.get(), "main", which, &found), SQLITE_OK);
        return found;
    }
    // From here on a plan shows what triggers do as well.
    void show_triggers() { sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_TRIGGER_EQP, 1, nullptr); }
    bool refuses(const char* sql) { return sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK; }

private:
    std::unique_ptr<crypto::SealedVfs> vfs_;
    std::unique_ptr<sqlite3, base::FreedBy<sqlite3_close_v2>> db_;
};

} // namespace clinic::records
