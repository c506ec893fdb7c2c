// What the sides of the sync are asked about later: in migration 10.
#pragma once

namespace clinic::records {

// The dead letters by why they are dead: a class of them is counted without their envelopes.
inline constexpr const char* dead_letters_v10 = R"sql(
CREATE INDEX outbox_dead ON outbox (code, due_at, state) WHERE state = 4;
ALTER TABLE quarantine ADD COLUMN replays INTEGER NOT NULL DEFAULT 0;    -- how often it was given to intake again
)sql";

// What a request said, field by field, and for what kind of envelope: no id in it, so it tells of nobody.
inline constexpr const char* ledger_fields_v10 = R"sql(
ALTER TABLE ledger ADD COLUMN destination INTEGER NOT NULL DEFAULT 0;    -- envelope::Destination
ALTER TABLE ledger ADD COLUMN kind INTEGER NOT NULL DEFAULT -1;          -- envelope::Kind; -1: serves none, or older
ALTER TABLE ledger ADD COLUMN said TEXT NOT NULL DEFAULT '';             -- docs/ledger.md; empty: nothing left, or older
CREATE INDEX ledger_day ON ledger (at);
)sql";

// A random name for what an envelope came from, the same for all that one message released: W3C trace context.
inline constexpr const char* outbox_trace_v10 = R"sql(
ALTER TABLE outbox ADD COLUMN trace TEXT NOT NULL DEFAULT '';            -- 32 hexadecimal digits; empty: older
)sql";

} // namespace clinic::records
