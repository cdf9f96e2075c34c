-- Dewpoint's own tables. Statements end with a semicolon at the end of a
-- line. Each may run again: DDL commits by itself, so a migration that was
-- interrupted starts over.

CREATE TABLE IF NOT EXISTS resources (
    _id VARCHAR, id VARCHAR, name VARCHAR, kind VARCHAR, tags OBJECT,
    created_at TIMESTAMP_TZ(6), updated_at TIMESTAMP_TZ(6), cloud VARCHAR, account VARCHAR, region VARCHAR, urn VARCHAR,
    _scope VARCHAR, _hash VARCHAR, _unread ARRAY, _sync_id VARCHAR, base VARCHAR
) COMMENT = 'One row per resource of any kind: the unified columns and the base.';

CREATE TABLE IF NOT EXISTS edges (
    from_id VARCHAR, from_kind VARCHAR, relation VARCHAR, to_kind VARCHAR,
    to_ref VARCHAR COMMENT 'The reference as the vendor gives it: id, name, region/name or urn.',
    to_id VARCHAR COMMENT 'The _id of the referent; NULL where the reference has no unique match.',
    resolution VARCHAR COMMENT 'How to_id was found (urn, id, name) or why not (ambiguous, not_collected, gone).',
    on_delete VARCHAR COMMENT 'What becomes of the referrer when the referent is deleted: block, cascade, detach, none.',
    _scope VARCHAR
) COMMENT = 'What refers to what: from the referrer to what it refers to.';

CREATE TABLE IF NOT EXISTS resource_history (
    _id VARCHAR, kind VARCHAR,
    change VARCHAR COMMENT 'changed, deleted, out_of_scope, account_closed, schema.',
    changed_columns ARRAY,
    doc VARIANT COMMENT 'The row as it was from valid_from to valid_to.',
    valid_from TIMESTAMP_TZ(6), valid_to TIMESTAMP_TZ(6)
) COMMENT = 'Previous values of rows that changed or ended. A first appearance has no row.';

CREATE TABLE IF NOT EXISTS sightings (_id VARCHAR, kind VARCHAR, _scope VARCHAR)
COMMENT = 'Scopes that reported a row beside the one the row names in _scope.';

CREATE TABLE IF NOT EXISTS syncs (
    id VARCHAR, started_at TIMESTAMP_TZ(6), finished_at TIMESTAMP_TZ(6), version VARCHAR,
    state VARCHAR COMMENT 'complete, or partial where a scope is incomplete.',
    kinds NUMBER(38,0), scopes NUMBER(38,0), incomplete NUMBER(38,0), "ROWS" NUMBER(38,0),
    new NUMBER(38,0), changed NUMBER(38,0), gone NUMBER(38,0), unchanged NUMBER(38,0), unread NUMBER(38,0), problems NUMBER(38,0)
) COMMENT = 'One row per committed sync.';

CREATE TABLE IF NOT EXISTS scopes (
    sync_id VARCHAR COMMENT 'The sync that last changed the state or the counts.',
    cloud VARCHAR, account VARCHAR, region VARCHAR, kind VARCHAR, parent VARCHAR, state VARCHAR,
    kinds ARRAY, scopes NUMBER(38,0), "ROWS" NUMBER(38,0), calls NUMBER(38,0),
    error VARCHAR, code VARCHAR, request_id VARCHAR, duration_seconds FLOAT,
    definition_hash VARCHAR, last_complete TIMESTAMP_TZ(6)
) COMMENT = 'How the last reading of each scope ended. Complete kinds of an account and region share one row (kind is NULL, kinds names them), everything else has its own. The view scope_freshness unfolds it.';

CREATE TABLE IF NOT EXISTS problems (
    sync_id VARCHAR, kind VARCHAR, account VARCHAR, region VARCHAR, call VARCHAR, "COLUMN" VARCHAR, code VARCHAR,
    count NUMBER(38,0), "SAMPLE" VARCHAR
) COMMENT = 'What was wrong with answers in the last reading, counted, with a sample.';

CREATE TABLE IF NOT EXISTS metrics (name VARCHAR, labels OBJECT, value FLOAT, measured_at TIMESTAMP_TZ(6), sync_id VARCHAR)
COMMENT = 'Time series of the metrics.';

CREATE TABLE IF NOT EXISTS kinds (
    kind VARCHAR, key VARCHAR, definition VARCHAR, definition_since TIMESTAMP_TZ(6),
    columns OBJECT COMMENT 'When each column was added to the definition or, behind a minus, removed from it.',
    types OBJECT COMMENT 'The declared type of each column.',
    layout VARCHAR, parent VARCHAR, base VARIANT, edges VARIANT
) COMMENT = 'The kinds that have a table and what it was made from.';

CREATE TABLE IF NOT EXISTS dewpoint_views (name VARCHAR, definition VARCHAR)
COMMENT = 'The views that dewpoint made and recreates when their definition changes.';

CREATE TABLE IF NOT EXISTS dewpoint_lease (
    name VARCHAR, token VARCHAR, holder VARCHAR, expires_at TIMESTAMP_TZ(6), scopes_digest VARCHAR
) COMMENT = 'The sync that holds the schema. A commit checks that the token is its own.';

MERGE INTO dewpoint_lease t USING (SELECT 'sync' AS name) s ON t.name = s.name
WHEN NOT MATCHED THEN INSERT (name) VALUES (s.name);

CREATE OR REPLACE VIEW resource_tags COPY GRANTS COMMENT = 'One row per tag.' AS
SELECT r._id, f.key AS key, f.value::VARCHAR AS value FROM resources r, LATERAL FLATTEN(INPUT => r.tags) f;

CREATE OR REPLACE VIEW scope_freshness COPY GRANTS COMMENT = 'State of the last reading, time and age in seconds of the last complete one, per cloud, account, region and kind.' AS
SELECT cloud, account, region, kind, state, last_complete, DATEDIFF(second, last_complete, CURRENT_TIMESTAMP()) AS age
FROM (
    SELECT s.cloud, s.account, s.region, k.value::VARCHAR AS kind, 'complete' AS state, s.last_complete
    FROM scopes s, LATERAL FLATTEN(INPUT => s.kinds) k WHERE s.kind IS NULL
    UNION ALL
    SELECT cloud, account, region, kind,
        DECODE(MAX(CASE state WHEN 'not_applicable' THEN 1 WHEN 'skipped' THEN 2 WHEN 'unreachable' THEN 3 WHEN 'denied' THEN 4 WHEN 'throttled' THEN 5 WHEN 'timed_out' THEN 6 ELSE 7 END),
            1, 'not_applicable', 2, 'skipped', 3, 'unreachable', 4, 'denied', 5, 'throttled', 6, 'timed_out', 'failed'),
        CASE WHEN COUNT(last_complete) = COUNT(*) THEN MIN(last_complete) END
    FROM scopes WHERE kind IS NOT NULL GROUP BY cloud, account, region, kind
);

CREATE OR REPLACE VIEW resource_versions COPY GRANTS COMMENT = 'Every version of every row with the time it was valid: valid_to is NULL for the one that stands. as_of(t) selects from it.' AS
SELECT r._id, r.id, r.name, r.kind, r.tags, r.created_at, r.updated_at, r.cloud, r.account, r.region, r.urn, NULL::VARIANT AS doc,
    s.started_at AS valid_from, NULL::TIMESTAMP_TZ AS valid_to
FROM resources r LEFT JOIN syncs s ON s.id = r._sync_id
UNION ALL
SELECT h._id, h.doc:id::VARCHAR, h.doc:name::VARCHAR, h.kind, h.doc:tags::OBJECT, h.doc:created_at::TIMESTAMP_TZ, h.doc:updated_at::TIMESTAMP_TZ,
    h.doc:cloud::VARCHAR, h.doc:account::VARCHAR, h.doc:region::VARCHAR, h.doc:urn::VARCHAR, h.doc, h.valid_from, h.valid_to
FROM resource_history h;

CREATE OR REPLACE FUNCTION as_of(t TIMESTAMP_TZ)
RETURNS TABLE (_id VARCHAR, id VARCHAR, name VARCHAR, kind VARCHAR, tags OBJECT, created_at TIMESTAMP_TZ, updated_at TIMESTAMP_TZ,
    cloud VARCHAR, account VARCHAR, region VARCHAR, urn VARCHAR, doc VARIANT)
COMMENT = 'The estate at a time: the unified columns; doc holds the whole row where it has changed or ended since, NULL where the table of the kind still holds it.'
AS $$
SELECT _id, id, name, kind, tags, created_at, updated_at, cloud, account, region, urn, doc
FROM resource_versions WHERE valid_from <= t AND (valid_to IS NULL OR t < valid_to)
$$;
