#include "daemon/records/schema.h"

#include <span>

#include "daemon/records/schema_compare.h"
#include "daemon/records/schema_crm.h"
#include "daemon/records/schema_outbox.h"
#include "daemon/records/schema_sync.h"

namespace clinic::records {
namespace {

// Ids are 16-byte UUIDs, times UTC microseconds, "sealed" columns sealed with the patient's key and bound to the row.
constexpr const char* records_v1 = R"sql(
CREATE TABLE setting (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- An erased person's row stays without content: its key slot is never used again.
CREATE TABLE patient (
    row          INTEGER PRIMARY KEY,
    id           BLOB    NOT NULL UNIQUE,
    key_slot     INTEGER NOT NULL UNIQUE,
    status       INTEGER NOT NULL,                  -- PatientStatus
    merged_into  BLOB,                              -- always the survivor itself, never a chain
    test_traffic INTEGER NOT NULL,
    has_mobile   INTEGER NOT NULL DEFAULT 0,
    has_email    INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    sealed       BLOB    NOT NULL                   -- JSON of patient_fields.h
) STRICT;
CREATE INDEX patient_merged ON patient (merged_into) WHERE merged_into IS NOT NULL;

-- When each sender last spoke about a patient or an appointment.
CREATE TABLE stamp (
    subject BLOB    NOT NULL,
    sender  BLOB    NOT NULL,                       -- keyed token
    said_at INTEGER NOT NULL,
    PRIMARY KEY (subject, sender)
) STRICT, WITHOUT ROWID;

-- name space and number, as one keyed token; it belongs to one person for ever
CREATE TABLE identifier (
    token   BLOB NOT NULL PRIMARY KEY,
    patient BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX identifier_patient ON identifier (patient);

-- blind index: name, phone, e-mail, birth date
CREATE TABLE patient_token (
    kind    INTEGER NOT NULL,
    token   BLOB    NOT NULL,
    patient BLOB    NOT NULL,
    PRIMARY KEY (kind, token, patient)
) STRICT, WITHOUT ROWID;
CREATE INDEX patient_token_patient ON patient_token (patient);

-- the identifier index of the last check
CREATE TABLE identifier_token (
    patient BLOB NOT NULL,
    kind    INTEGER,
    form    INTEGER,
    length  INTEGER,
    token   INTEGER
) STRICT;
CREATE INDEX identifier_token_patient ON identifier_token (patient);

CREATE TABLE visit (
    patient BLOB    NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (patient, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE appointment (
    row          INTEGER PRIMARY KEY,
    id           BLOB    NOT NULL UNIQUE,
    token        BLOB    NOT NULL UNIQUE,           -- name space and key
    patient      BLOB,                              -- NULL: a block-out
    status       INTEGER NOT NULL,                  -- AppointmentStatus
    start_at     INTEGER,
    end_at       INTEGER,
    test_traffic INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    sealed       BLOB    NOT NULL                   -- JSON; a block-out's is under a key of the store
) STRICT;
CREATE INDEX appointment_patient ON appointment (patient, start_at);

-- Nothing is changed here: a later row counts.
CREATE TABLE consent (
    row         INTEGER PRIMARY KEY,
    patient     BLOB    NOT NULL,
    scope       INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    given_at    INTEGER NOT NULL,
    said_at     INTEGER NOT NULL,
    expires_at  INTEGER,
    revision    INTEGER NOT NULL,                   -- counts up per patient and scope
    recorded_at INTEGER NOT NULL
) STRICT;
CREATE INDEX consent_patient ON consent (patient, scope, given_at);
CREATE INDEX consent_expiry ON consent (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE raw_message (
    row         INTEGER PRIMARY KEY,
    patient     BLOB    NOT NULL,
    feed        TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    sealed      BLOB    NOT NULL
) STRICT;
CREATE INDEX raw_message_patient ON raw_message (patient, row);

CREATE TABLE quarantine (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    feed        TEXT    NOT NULL,
    reason      TEXT    NOT NULL,                   -- the error's literal text
    line        INTEGER NOT NULL,
    segment     INTEGER NOT NULL,
    field       INTEGER NOT NULL,
    offset      INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    wrapped_key BLOB    NOT NULL,
    sealed      BLOB    NOT NULL
) STRICT;
CREATE INDEX quarantine_age ON quarantine (received_at);

CREATE TABLE seen_message (
    row    INTEGER PRIMARY KEY AUTOINCREMENT,       -- oldest first
    key    BLOB    NOT NULL UNIQUE,                 -- sender, control id and time, as one keyed token
    sender BLOB    NOT NULL,
    body   BLOB    NOT NULL,
    at     INTEGER NOT NULL,
    ack    TEXT    NOT NULL
) STRICT;
)sql";

constexpr const char* audit_v1 = R"sql(
-- docs/audit.md
CREATE TABLE audit_link (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    kind     INTEGER NOT NULL,                      -- 1 an entry, 2 more subjects of an entry
    refers   INTEGER NOT NULL,                      -- kind 2: the entry
    actor    INTEGER NOT NULL,
    actor_id INTEGER NOT NULL,
    action   INTEGER NOT NULL,
    purpose  INTEGER NOT NULL,
    detail   TEXT    NOT NULL,
    hash     BLOB    NOT NULL
) STRICT;
CREATE TABLE audit_subject (
    link     INTEGER NOT NULL,
    position INTEGER NOT NULL,
    subject  BLOB    NOT NULL,
    PRIMARY KEY (link, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_subject_subject ON audit_subject (subject, link);
-- REPLACE deletes without the triggers below, so a link may only follow the newest, and a subject only the newest link.
CREATE TRIGGER audit_link_follows BEFORE INSERT ON audit_link
    WHEN new.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM audit_link)
    BEGIN SELECT raise(ABORT, 'the audit chain only grows'); END;
CREATE TRIGGER audit_subject_follows BEFORE INSERT ON audit_subject
    WHEN new.link IS NOT (SELECT max(number) FROM audit_link)
      OR EXISTS (SELECT 1 FROM audit_subject WHERE link = new.link AND position = new.position)
    BEGIN SELECT raise(ABORT, 'the audit chain only grows'); END;
CREATE TRIGGER audit_link_stays BEFORE UPDATE ON audit_link
    BEGIN SELECT raise(ABORT, 'the audit chain only grows'); END;
CREATE TRIGGER audit_link_is_kept BEFORE DELETE ON audit_link
    BEGIN SELECT raise(ABORT, 'the audit chain only grows'); END;
CREATE TRIGGER audit_subject_stays BEFORE UPDATE ON audit_subject
    BEGIN SELECT raise(ABORT, 'the audit chain only grows'); END;
CREATE TRIGGER audit_subject_is_kept BEFORE DELETE ON audit_subject
    BEGIN SELECT raise(ABORT, 'the audit chain only grows'); END;
)sql";

// taken_back: when it was said that the visit did not happen; it does not count then.
// replayed_at, replayed_as: the quarantined message was given to intake again, and what became of it (Booked's word).
constexpr const char* records_v2 = R"sql(
ALTER TABLE visit ADD COLUMN taken_back INTEGER;
ALTER TABLE quarantine ADD COLUMN replayed_at INTEGER;
ALTER TABLE quarantine ADD COLUMN replayed_as TEXT;
)sql";

// The items that wait, counted at each look without their sealed messages.
constexpr const char* records_v4 = R"sql(
CREATE INDEX quarantine_waiting ON quarantine (replayed_as)
    WHERE coalesce(replayed_as, '') NOT IN ('stored', 'duplicate');
)sql";

// A person may settle an item too: "discarded" in replayed_as.
constexpr const char* records_v5 = R"sql(
DROP INDEX quarantine_waiting;
CREATE INDEX quarantine_waiting ON quarantine (id)
    WHERE coalesce(replayed_as, '') NOT IN ('stored', 'duplicate', 'discarded');
CREATE VIEW quarantine_waits AS SELECT id, feed FROM quarantine INDEXED BY quarantine_waiting
    WHERE coalesce(replayed_as, '') NOT IN ('stored', 'duplicate', 'discarded');
)sql";

// ended: a granted consent whose end was told, or that a later one had replaced before its end: not looked at again.
constexpr const char* records_v6 = R"sql(
ALTER TABLE consent ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;
DROP INDEX consent_expiry;
CREATE INDEX consent_to_end ON consent (expires_at) WHERE expires_at IS NOT NULL AND state = 0 AND ended = 0;
CREATE INDEX patient_erased ON patient (key_slot) WHERE status = 3;
CREATE INDEX outbox_parked ON outbox (destination, code) WHERE state = 3;
)sql";

// A link that says which are lost comes behind their numbers, so that none is given twice: docs/audit.md.
constexpr const char* audit_v7 = R"sql(
DROP TRIGGER audit_link_follows;
CREATE TRIGGER audit_link_follows BEFORE INSERT ON audit_link
    WHEN NOT EXISTS (SELECT 1 FROM (SELECT coalesce(max(number), 0) AS newest FROM audit_link)
                     WHERE new.number = newest + 1
                        OR (new.kind = 3 AND new.refers <= newest + 1
                            AND new.number > newest AND new.number = new.actor_id + 1))
    BEGIN SELECT raise(ABORT, 'the audit chain only grows'); END;
)sql";

// The same rule, its newest number in a query of its own: as it stood in v7 each new link walked the whole chain.
constexpr const char* audit_v8 = R"sql(
DROP TRIGGER audit_link_follows;
CREATE TRIGGER audit_link_follows BEFORE INSERT ON audit_link
    WHEN NOT EXISTS (SELECT 1 FROM (SELECT coalesce((SELECT max(number) FROM audit_link), 0) AS newest)
                     WHERE new.number = newest + 1
                        OR (new.kind = 3 AND new.refers <= newest + 1
                            AND new.number > newest AND new.number = new.actor_id + 1))
    BEGIN SELECT raise(ABORT, 'the audit chain only grows'); END;
)sql";

// Who a token leads to is not always who stands there: those that were merged, and test traffic, in an index of their
// own that stays small. A look-up reads no page of `patient` then.
constexpr const char* records_v9 = R"sql(
CREATE INDEX patient_aside ON patient (id, merged_into, test_traffic)
    WHERE merged_into IS NOT NULL OR test_traffic = 1;
)sql";

struct Migration {
    int to;
    std::array<const char*, 3> scripts;
    const char* mark;
};

constexpr Migration migrations[] = {
    {1, {records_v1, audit_v1, outbox_schema_v1}, "PRAGMA user_version = 1"},
    {2, {records_v2, "", ""}, "PRAGMA user_version = 2"},
    {3, {outbox_schema_v3, "", ""}, "PRAGMA user_version = 3"},
    {4, {records_v4, "", ""}, "PRAGMA user_version = 4"},
    {5, {records_v5, "", ""}, "PRAGMA user_version = 5"},
    {6, {records_v6, "", ""}, "PRAGMA user_version = 6"},
    {7, {audit_v7, "", ""}, "PRAGMA user_version = 7"},
    {8, {audit_v8, "", ""}, "PRAGMA user_version = 8"},
    {9, {records_v9, "", ""}, "PRAGMA user_version = 9"},
    {10, {dead_letters_v10, ledger_fields_v10, outbox_trace_v10}, "PRAGMA user_version = 10"},
    {11, {outbox_traffic_v11, crm_schema_v11, compare_schema_v11}, "PRAGMA user_version = 11"},
    {12, {outbox_joined_v12, "", ""}, "PRAGMA user_version = 12"},
    {13, {outbox_beside_v13, outbox_heard_v13, ""}, "PRAGMA user_version = 13"},
    {14, {outbox_left_v14, "", ""}, "PRAGMA user_version = 14"},
};
static_assert(migrations[std::size(migrations) - 1].to == schema_version_known);

Result<void> run(Connection& connection, const Migration& migration) {
    CLINIC_TRY(connection.run("BEGIN IMMEDIATE"));
    for (const char* script : migration.scripts) CLINIC_TRY(connection.run_script(script));
    CLINIC_TRY(connection.run_script(migration.mark));
    return connection.run("COMMIT");
}

} // namespace

Result<int> schema_version(Connection& connection) {
    const auto version = connection.number("PRAGMA user_version");
    if (!version) return version.error();
    return static_cast<int>(*version);
}

Result<void> migrate(Connection& connection, int to) {
    const auto version = schema_version(connection);
    if (!version) return version.error();
    if (*version > schema_version_known)
        return Error{Errc::newer, "the store was written by a later version", "install that version or a newer one"};
    for (const auto& migration : migrations) {
        if (migration.to > *version && migration.to <= to) CLINIC_TRY(run(connection, migration));
    }
    return {};
}

} // namespace clinic::records
