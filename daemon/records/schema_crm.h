// The tables of clinic_crm, in migration 11: what GHL holds as it was last seen, what differs, and whom a contact may
// be. `contact` is the blind index of a contact id, as in `link`. "sealed": under a key of the store, bound to the row;
// all of a person's rows go when they are erased.
#pragma once

namespace clinic::records {

inline constexpr const char* crm_schema_v11 = R"sql(
CREATE TABLE crm_object (
    row           INTEGER PRIMARY KEY,
    kind          INTEGER NOT NULL,                -- envelope::CrmKind
    token         BLOB    NOT NULL,                -- blind index of GHL's id
    id            BLOB    NOT NULL,                -- sealed
    contact       BLOB,                            -- whose it is; of a contact its own
    updated_ms    INTEGER NOT NULL,                -- GHL's dateUpdated
    read_ms       INTEGER NOT NULL,                -- the later of two that were updated at once counts
    deleted       INTEGER NOT NULL DEFAULT 0,      -- for ever
    content       BLOB    NOT NULL,                -- sealed: envelope::content_of
    matching      INTEGER NOT NULL DEFAULT 0,      -- crm::Matching, of a contact that is nobody's
    probed_ms     INTEGER NOT NULL DEFAULT 0,      -- updated_ms of when its identifiers were asked about
    from_quarter  INTEGER,                         -- of a booking that stands
    until_quarter INTEGER,
    UNIQUE (kind, token)
) STRICT;
CREATE INDEX crm_object_contact ON crm_object (contact, kind) WHERE contact IS NOT NULL;
CREATE INDEX crm_object_slot ON crm_object (until_quarter) WHERE until_quarter IS NOT NULL;
CREATE INDEX crm_object_choice ON crm_object (row) WHERE matching = 2;

-- Both sides of what differs, in words and numbers of ours.
CREATE TABLE crm_conflict (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    object     INTEGER NOT NULL,                   -- crm_object.row
    field      INTEGER NOT NULL,                   -- crm::Field
    ours       TEXT    NOT NULL,
    theirs     TEXT    NOT NULL,
    found_at   INTEGER NOT NULL,
    settled_at INTEGER,                            -- NULL: a person is waited for
    settled_by TEXT    NOT NULL DEFAULT ''         -- rule, gone, clinic, ghl
) STRICT;
CREATE INDEX crm_conflict_object ON crm_conflict (object, field, found_at);
CREATE INDEX crm_conflict_open ON crm_conflict (number) WHERE settled_at IS NULL;
CREATE INDEX crm_conflict_settled ON crm_conflict (settled_at) WHERE settled_at IS NOT NULL;

-- Whom a contact may be: a person chooses.
CREATE TABLE crm_choice (
    object  INTEGER NOT NULL,
    patient BLOB    NOT NULL,
    PRIMARY KEY (object, patient)
) STRICT, WITHOUT ROWID;
CREATE INDEX crm_choice_patient ON crm_choice (patient);

-- A person said that this contact is not this patient.
CREATE TABLE crm_never (
    contact BLOB NOT NULL,
    patient BLOB NOT NULL,
    PRIMARY KEY (contact, patient)
) STRICT, WITHOUT ROWID;
CREATE INDEX crm_never_patient ON crm_never (patient);

-- The clinic's open hours of others, for a slot that GHL has booked.
CREATE INDEX appointment_open_start ON appointment (start_at) WHERE status IN (0, 1, 2, 3, 7);
)sql";

} // namespace clinic::records
