// The tables of clinic_outbox, in migrations 1, 3 and 11 to 14: they live in the records' file so that a row and its
// envelope are one commit. `patient` is the internal PatientId. Columns marked "sealed" are sealed with that patient's
// key and bound to the row.
#pragma once

namespace clinic::records {

inline constexpr const char* outbox_schema_v1 = R"sql(
-- Envelopes on their way: pending, leased, parked, dead. A row that ends otherwise is counted and removed.
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,  -- the lease's number too: never used twice
    destination INTEGER NOT NULL,
    patient     BLOB    NOT NULL,
    kind        INTEGER NOT NULL,
    scope       INTEGER NOT NULL,                   -- of consent.state; -1 for the other kinds
    state       INTEGER NOT NULL,                   -- outbox::State
    queued_at   INTEGER NOT NULL,                   -- UTC microseconds, like every time here
    due_at      INTEGER NOT NULL,                   -- of a dead one: when it died
    envelope    BLOB    NOT NULL,                   -- sealed
    tries       INTEGER NOT NULL DEFAULT 0,         -- settled with retry so far
    counted     INTEGER NOT NULL DEFAULT 0,         -- of those, refusals of its own body
    withdrawn   INTEGER NOT NULL DEFAULT 0,         -- while leased: it does not become pending again
    code        TEXT    NOT NULL DEFAULT ''         -- why it is parked, dead or tried again
) STRICT;
CREATE INDEX outbox_due ON outbox (destination, state, due_at, id);
CREATE INDEX outbox_subject ON outbox (patient, destination, state, id);
CREATE INDEX outbox_age ON outbox (destination, queued_at) WHERE state = 1;   -- pending: the age of the oldest

-- The books: state 0 is "released", the others are outbox::State.
CREATE TABLE outbox_counter (
    destination INTEGER NOT NULL,
    state       INTEGER NOT NULL,
    envelopes   INTEGER NOT NULL,
    PRIMARY KEY (destination, state)
) STRICT, WITHOUT ROWID;
CREATE TABLE outbox_lane (
    destination    INTEGER PRIMARY KEY,
    delivered_at   INTEGER,                         -- the newest delivery
    code           TEXT NOT NULL DEFAULT ''         -- of the newest retry
) STRICT;

-- What the destination holds from us: the newest delivered envelope of each kind.
CREATE TABLE said (
    id          INTEGER PRIMARY KEY,
    destination INTEGER NOT NULL,
    patient     BLOB    NOT NULL,
    kind        INTEGER NOT NULL,
    scope       INTEGER NOT NULL,
    delivered   INTEGER NOT NULL,                   -- outbox.id
    envelope    BLOB    NOT NULL,                   -- sealed
    tags_known  INTEGER NOT NULL,                   -- 0: a later attempt may have changed some of them
    UNIQUE (patient, destination, kind, scope)
) STRICT;

-- What left the building: a line per attempt.
CREATE TABLE ledger (
    attempt       INTEGER PRIMARY KEY AUTOINCREMENT,
    lease         INTEGER NOT NULL,                 -- outbox.id; 0: a read that serves no envelope
    at            INTEGER NOT NULL,
    route         INTEGER NOT NULL,                 -- envelope::Route
    digest        BLOB    NOT NULL,                 -- BLAKE2b-256 of method ' ' path '\n' body
    result        TEXT    NOT NULL,                 -- open, not_sent, answered, unknown, held, blocked
    status        INTEGER NOT NULL DEFAULT 0,
    unsettled     INTEGER NOT NULL DEFAULT 0,       -- a create that may have happened: look up before the next
    subject       BLOB,                             -- sealed PatientId
    subject_token BLOB                              -- keyed with the patient's key: findable until that is erased
) STRICT;
CREATE INDEX ledger_lease ON ledger (lease);
CREATE INDEX ledger_unsettled ON ledger (subject_token, at) WHERE unsettled = 1;
CREATE INDEX ledger_subject ON ledger (subject_token, attempt) WHERE subject_token IS NOT NULL;

-- One random name per patient and destination, one per appointment and destination.
CREATE TABLE pseudonym (
    id          INTEGER PRIMARY KEY,
    destination INTEGER NOT NULL,
    patient     BLOB    NOT NULL,
    appointment BLOB    NOT NULL,                   -- empty: the patient's own
    value       BLOB    NOT NULL,                   -- sealed
    token       BLOB    NOT NULL,                   -- blind index of the value
    UNIQUE (patient, destination, appointment)
) STRICT;
CREATE UNIQUE INDEX pseudonym_token ON pseudonym (token);

-- The GHL contact of a patient.
CREATE TABLE link (
    id      INTEGER PRIMARY KEY,
    patient BLOB NOT NULL UNIQUE,
    contact BLOB NOT NULL,                          -- sealed
    token   BLOB NOT NULL                           -- blind index of the contact id
) STRICT;
CREATE INDEX link_token ON link (token);

CREATE TABLE sequence (
    patient     BLOB    NOT NULL,
    destination INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    PRIMARY KEY (patient, destination)
) STRICT, WITHOUT ROWID;

-- Per feed: received = stored + quarantined + refused + duplicate.
CREATE TABLE feed_counter (
    feed        TEXT    PRIMARY KEY,
    received    INTEGER NOT NULL DEFAULT 0,
    stored      INTEGER NOT NULL DEFAULT 0,
    quarantined INTEGER NOT NULL DEFAULT 0,
    refused     INTEGER NOT NULL DEFAULT 0,
    duplicate   INTEGER NOT NULL DEFAULT 0,
    last_at     INTEGER                             -- the newest message; NULL: never
) STRICT, WITHOUT ROWID;

-- Events for central ops, kept until acknowledged.
CREATE TABLE event (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    code         TEXT    NOT NULL,                  -- E####
    severity     TEXT    NOT NULL,                  -- info, warn, error, critical
    at           INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX event_open ON event (number) WHERE acknowledged = 0;
)sql";

// Times on the boot clock mean nothing after a restart: Outbox::release_leases counts them anew.
inline constexpr const char* outbox_schema_v3 = R"sql(
ALTER TABLE ledger ADD COLUMN unsure_since INTEGER NOT NULL DEFAULT 0;   -- boot clock, microseconds: no later byte of
                                                                         -- this request left us
ALTER TABLE said ADD COLUMN unsure INTEGER NOT NULL DEFAULT 0;           -- begun since: something that may change it
ALTER TABLE link ADD COLUMN shell INTEGER NOT NULL DEFAULT 1;            -- we made this contact: it holds a state from us
)sql";

// Coalescing and urgency: docs/ghl.md, "Many changes, one write" and "Who goes first".
inline constexpr const char* outbox_traffic_v11 = R"sql(
ALTER TABLE outbox ADD COLUMN hold_until INTEGER NOT NULL DEFAULT 0;     -- it waits for more changes, until then at the
                                                                         -- latest; 0: it does not
ALTER TABLE said ADD COLUMN written_at INTEGER NOT NULL DEFAULT 0;       -- when it was delivered
CREATE INDEX outbox_urgent ON outbox (destination, due_at, id) WHERE state = 1 AND kind IN (2, 3);
)sql";

// The two states of a subject in one request: docs/ghl.md, "Many changes, one write".
inline constexpr const char* outbox_joined_v12 = R"sql(
ALTER TABLE outbox ADD COLUMN joined INTEGER NOT NULL DEFAULT 0;         -- leased: the row whose lease it goes out with
ALTER TABLE ledger ADD COLUMN also INTEGER NOT NULL DEFAULT 0;           -- the second envelope that the request served
CREATE INDEX ledger_also ON ledger (also) WHERE also > 0;
)sql";

// What a patient has in GHL beside the contact: docs/envelope.md, "case.state" and "booking.state".
inline constexpr const char* outbox_beside_v13 = R"sql(
CREATE TABLE beside (
    number       INTEGER PRIMARY KEY AUTOINCREMENT, -- the scope of its envelopes: never used twice
    patient      BLOB    NOT NULL,
    kind         INTEGER NOT NULL,                  -- envelope::Kind of its envelopes
    appointment  BLOB    NOT NULL,                  -- of a booking; empty: an opportunity
    object       BLOB    NOT NULL DEFAULT x'',      -- sealed; empty: none is known
    ours         INTEGER NOT NULL DEFAULT 0,        -- made by us: taken back by us
    held         INTEGER NOT NULL DEFAULT 0,        -- outbox::Held: GHL's word against the clinic's
    token        BLOB,                              -- blind index of GHL's id
    attempt      INTEGER NOT NULL DEFAULT 0,        -- ledger.attempt of its newest create
    unsettled    INTEGER NOT NULL DEFAULT 0,        -- that may have happened: look up before the next
    unsure_since INTEGER NOT NULL DEFAULT 0,        -- boot clock: no later byte of it left us
    UNIQUE (patient, kind, appointment)
) STRICT;
CREATE INDEX beside_token ON beside (token) WHERE token IS NOT NULL;
CREATE INDEX beside_unsettled ON beside (attempt) WHERE unsettled = 1;
)sql";

// What was before a change waited: docs/observability.md, "Traces". A span, so that no step of the clock is in it.
inline constexpr const char* outbox_heard_v13 = R"sql(
ALTER TABLE outbox ADD COLUMN heard_us INTEGER NOT NULL DEFAULT -1;      -- from the first byte of what it came from to
                                                                         -- queued_at; -1: older
)sql";

// What was left at a contact that is its patient's no more has a row of its own, until it is ended there.
inline constexpr const char* outbox_left_v14 = R"sql(
CREATE TABLE beside_v14 (
    number       INTEGER PRIMARY KEY AUTOINCREMENT, -- the scope of its envelopes: never used twice
    patient      BLOB    NOT NULL,
    kind         INTEGER NOT NULL,                  -- envelope::Kind of its envelopes
    appointment  BLOB    NOT NULL,                  -- of a booking; empty: an opportunity
    object       BLOB    NOT NULL DEFAULT x'',      -- sealed; empty: none is known
    ours         INTEGER NOT NULL DEFAULT 0,        -- made by us: taken back by us
    held         INTEGER NOT NULL DEFAULT 0,        -- outbox::Held: GHL's word against the clinic's
    token        BLOB,                              -- blind index of GHL's id
    attempt      INTEGER NOT NULL DEFAULT 0,        -- ledger.attempt of its newest create
    unsettled    INTEGER NOT NULL DEFAULT 0,        -- that may have happened: look up before the next
    unsure_since INTEGER NOT NULL DEFAULT 0,        -- boot clock: no later byte of it left us
    contact      BLOB    NOT NULL DEFAULT x'',      -- sealed; where it was left; empty: at the patient's own
    UNIQUE (patient, kind, appointment, contact)
) STRICT;
INSERT INTO beside_v14 SELECT number, patient, kind, appointment, object, ours, held, token, attempt, unsettled,
    unsure_since, x'' FROM beside;
DELETE FROM sqlite_sequence WHERE name = 'beside_v14';
INSERT INTO sqlite_sequence (name, seq) SELECT 'beside_v14', seq FROM sqlite_sequence WHERE name = 'beside';
DROP TABLE beside;
ALTER TABLE beside_v14 RENAME TO beside;
CREATE INDEX beside_token ON beside (token) WHERE token IS NOT NULL;
CREATE INDEX beside_unsettled ON beside (attempt) WHERE unsettled = 1;
)sql";

} // namespace clinic::records
