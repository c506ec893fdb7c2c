// What the full comparison with GHL keeps (docs/crm.md): in migration 11, behind crm_schema_v11.
#pragma once

namespace clinic::records {

inline constexpr const char* compare_schema_v11 = R"sql(
ALTER TABLE crm_object ADD COLUMN differs INTEGER NOT NULL DEFAULT 0;    -- bits by crm::Differs, as last compared
ALTER TABLE crm_object ADD COLUMN differs_since INTEGER;                 -- NULL: it does not
CREATE INDEX crm_object_differs ON crm_object (row, differs, differs_since) WHERE differs != 0;

CREATE TABLE crm_walk (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    nightly    INTEGER NOT NULL,                   -- 0: a person asked
    asked_at   INTEGER NOT NULL,
    started_at INTEGER,                            -- NULL: it waits; what was read since then, it has seen
    reached_ms INTEGER NOT NULL DEFAULT 0,         -- GHL's dateUpdated: the pages were read up to there
    read       INTEGER NOT NULL DEFAULT 0,         -- 1: all of them
    link       INTEGER NOT NULL DEFAULT 0,         -- link.id: the links were looked at up to there
    compared   INTEGER NOT NULL DEFAULT 0,         -- how many that were
    requests   INTEGER NOT NULL DEFAULT 0,
    ended_at   INTEGER                             -- NULL: it is under way
) STRICT;
CREATE INDEX crm_walk_open ON crm_walk (number) WHERE ended_at IS NULL;
)sql";

} // namespace clinic::records
