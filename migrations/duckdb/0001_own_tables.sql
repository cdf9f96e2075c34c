-- Dewpoint's own tables. No primary keys and no indexes: they cost two to
-- four times the load, uniqueness is asserted when a sync commits.

CREATE TABLE resources (
    _id UUID, id VARCHAR, name VARCHAR, kind VARCHAR, tags MAP(VARCHAR, VARCHAR),
    created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ, cloud VARCHAR, account VARCHAR, region VARCHAR, urn VARCHAR,
    _scope VARCHAR, _hash UUID, _unread VARCHAR[], _sync_id UUID, base VARCHAR
);
COMMENT ON TABLE resources IS 'One row per resource of any kind: the unified columns and the base.';

CREATE TABLE edges (
    from_id UUID, from_kind VARCHAR, relation VARCHAR, to_kind VARCHAR, to_ref VARCHAR, to_id UUID,
    resolution VARCHAR, on_delete VARCHAR, _scope VARCHAR
);
COMMENT ON TABLE edges IS 'What refers to what: from the referrer to what it refers to.';
COMMENT ON COLUMN edges.to_ref IS 'The reference as the vendor gives it: id, name, region/name or urn.';
COMMENT ON COLUMN edges.to_id IS 'The referent''s _id; NULL where the reference has no unique match.';
COMMENT ON COLUMN edges.resolution IS 'How to_id was found (urn, id, name) or why not (ambiguous, not_collected, gone).';
COMMENT ON COLUMN edges.on_delete IS 'What becomes of the referrer when the referent is deleted: block, cascade, detach, none.';

CREATE TABLE resource_history (
    _id UUID, kind VARCHAR, change VARCHAR, changed_columns VARCHAR[], doc JSON,
    valid_from TIMESTAMPTZ, valid_to TIMESTAMPTZ
);
COMMENT ON TABLE resource_history IS 'Previous values of rows that changed or ended. A first appearance has no row.';
COMMENT ON COLUMN resource_history.change IS 'changed, deleted, out_of_scope, account_closed, schema.';
COMMENT ON COLUMN resource_history.doc IS 'The row as it was from valid_from to valid_to.';

CREATE TABLE sightings (_id UUID, kind VARCHAR, _scope VARCHAR);
COMMENT ON TABLE sightings IS 'Scopes that reported a row beside the one the row names in _scope.';

CREATE TABLE syncs (
    id UUID, started_at TIMESTAMPTZ, finished_at TIMESTAMPTZ, version VARCHAR, state VARCHAR,
    kinds BIGINT, scopes BIGINT, incomplete BIGINT, "rows" BIGINT,
    new BIGINT, changed BIGINT, gone BIGINT, unchanged BIGINT, unread BIGINT, problems BIGINT
);
COMMENT ON TABLE syncs IS 'One row per committed sync.';
COMMENT ON COLUMN syncs.state IS 'complete, or partial where a scope is incomplete.';

CREATE TABLE scopes (
    sync_id UUID, cloud VARCHAR, account VARCHAR, region VARCHAR, kind VARCHAR, parent VARCHAR, state VARCHAR,
    kinds VARCHAR[], scopes BIGINT, "rows" BIGINT, calls BIGINT,
    error VARCHAR, code VARCHAR, request_id VARCHAR, duration_seconds DOUBLE,
    definition_hash VARCHAR, last_complete TIMESTAMPTZ
);
COMMENT ON TABLE scopes IS 'How the last reading of each scope ended. Complete kinds of an account and region share one row (kind is NULL, kinds names them), everything else has its own. The view scope_freshness unfolds it.';
COMMENT ON COLUMN scopes.sync_id IS 'The sync that last changed the state or the counts.';

CREATE TABLE problems (
    sync_id UUID, kind VARCHAR, account VARCHAR, region VARCHAR, call VARCHAR, "column" VARCHAR, code VARCHAR,
    count BIGINT, sample VARCHAR
);
COMMENT ON TABLE problems IS 'What was wrong with answers in the last reading, counted, with a sample.';

CREATE TABLE metrics (name VARCHAR, labels MAP(VARCHAR, VARCHAR), value DOUBLE, measured_at TIMESTAMPTZ, sync_id UUID);
COMMENT ON TABLE metrics IS 'Time series of the metrics.';

CREATE TABLE kinds (
    kind VARCHAR, key VARCHAR, definition VARCHAR, definition_since TIMESTAMPTZ,
    columns MAP(VARCHAR, TIMESTAMPTZ), layout VARCHAR, parent VARCHAR, base JSON, edges JSON
);
COMMENT ON TABLE kinds IS 'The kinds that have a table and what it was made from.';
COMMENT ON COLUMN kinds.columns IS 'When each column was added to the definition, or removed from it.';

CREATE TABLE dewpoint_views (name VARCHAR, definition VARCHAR);
COMMENT ON TABLE dewpoint_views IS 'The views that dewpoint made and recreates when their definition changes.';

CREATE VIEW resource_tags AS
SELECT _id, unnest(map_keys(tags)) AS key, unnest(map_values(tags)) AS value FROM resources;
COMMENT ON VIEW resource_tags IS 'One row per tag.';

CREATE VIEW scope_freshness AS
SELECT cloud, account, region, kind, state, last_complete, now() - last_complete AS age
FROM (
    SELECT cloud, account, region, unnest(kinds) AS kind, 'complete' AS state, last_complete
    FROM scopes WHERE kind IS NULL
    UNION ALL
    SELECT cloud, account, region, kind,
        arg_max(state, list_position(['not_applicable', 'skipped', 'unreachable', 'denied', 'throttled', 'timed_out', 'failed'], state)),
        CASE WHEN count(last_complete) = count(*) THEN min(last_complete) END
    FROM scopes WHERE kind IS NOT NULL GROUP BY cloud, account, region, kind
);
COMMENT ON VIEW scope_freshness IS 'State of the last reading and time of the last complete one, per cloud, account, region and kind.';

-- The estate at a time: the unified columns; doc holds the whole row where it
-- has changed or ended since, NULL where the kind's table still holds it.
CREATE MACRO as_of(t) AS TABLE
SELECT _id, id, name, kind, tags, created_at, updated_at, cloud, account, region, urn, NULL::JSON AS doc
FROM resources
WHERE coalesce((SELECT started_at FROM syncs WHERE syncs.id = resources._sync_id), try(uuid_extract_timestamp(_sync_id))) <= t
UNION ALL
SELECT _id, doc->>'id', doc->>'name', kind, (doc->'tags')::MAP(VARCHAR, VARCHAR), (doc->>'created_at')::TIMESTAMPTZ,
    (doc->>'updated_at')::TIMESTAMPTZ, doc->>'cloud', doc->>'account', doc->>'region', doc->>'urn', doc
FROM resource_history WHERE valid_from <= t AND t < valid_to;
