-- Dewpoint's own tables. What is a key compares by bytes (COLLATE "C"), in
-- whatever locale the database is: that is what indexes and joins are quick
-- with. Indexes of resources and edges are made after the first load.

-- +goose Up
CREATE TABLE resources (
    _id uuid NOT NULL, id text COLLATE "C", name text, kind text COLLATE "C", tags jsonb,
    created_at timestamptz, updated_at timestamptz, cloud text COLLATE "C", account text COLLATE "C", region text COLLATE "C",
    urn text COLLATE "C", _scope text COLLATE "C", _hash uuid, _unread text[], _sync_id uuid, base text COLLATE "C"
);
COMMENT ON TABLE resources IS 'One row per resource of any kind: the unified columns and the base.';

CREATE TABLE edges (
    from_id uuid, from_kind text COLLATE "C", relation text COLLATE "C", to_kind text COLLATE "C", to_ref text COLLATE "C", to_id uuid,
    resolution text COLLATE "C", on_delete text COLLATE "C", _scope text COLLATE "C"
);
COMMENT ON TABLE edges IS 'What refers to what: from the referrer to what it refers to.';
COMMENT ON COLUMN edges.to_ref IS 'The reference as the vendor gives it: id, name, region/name or urn.';
COMMENT ON COLUMN edges.to_id IS 'The referent''s _id; NULL where the reference has no unique match.';
COMMENT ON COLUMN edges.resolution IS 'How to_id was found (urn, id, name) or why not (ambiguous, not_collected, gone).';
COMMENT ON COLUMN edges.on_delete IS 'What becomes of the referrer when the referent is deleted: block, cascade, detach, none.';

CREATE TABLE resource_history (
    _id uuid, kind text COLLATE "C", change text COLLATE "C", changed_columns text[], doc jsonb,
    valid_from timestamptz, valid_to timestamptz
);
CREATE INDEX ON resource_history (_id, valid_to);
CREATE INDEX ON resource_history (valid_to);
COMMENT ON TABLE resource_history IS 'Previous values of rows that changed or ended. A first appearance has no row.';
COMMENT ON COLUMN resource_history.change IS 'changed, deleted, out_of_scope, account_closed, schema.';
COMMENT ON COLUMN resource_history.doc IS 'The row as it was from valid_from to valid_to.';

CREATE TABLE sightings (_id uuid, kind text COLLATE "C", _scope text COLLATE "C");
CREATE INDEX ON sightings (_id);
COMMENT ON TABLE sightings IS 'Scopes that reported a row beside the one the row names in _scope.';

CREATE TABLE syncs (
    id uuid PRIMARY KEY, started_at timestamptz, finished_at timestamptz, version text, state text COLLATE "C",
    kinds bigint, scopes bigint, incomplete bigint, "rows" bigint,
    new bigint, changed bigint, gone bigint, unchanged bigint, unread bigint, problems bigint
);
COMMENT ON TABLE syncs IS 'One row per committed sync.';
COMMENT ON COLUMN syncs.state IS 'complete, or partial where a scope is incomplete.';

CREATE TABLE scope_times (scope_time bigint PRIMARY KEY, last_complete timestamptz);
COMMENT ON TABLE scope_times IS 'When scopes were last complete, shared by all that were together: one row is written, however many scopes a sync reads.';

CREATE TABLE scope_states (
    sync_id uuid, cloud text COLLATE "C", account text COLLATE "C", region text COLLATE "C", kind text COLLATE "C", parent text COLLATE "C",
    state text COLLATE "C", kinds text[] COLLATE "C", scopes bigint, "rows" bigint, calls bigint,
    error text, code text COLLATE "C", request_id text COLLATE "C", duration_seconds double precision,
    definition_hash text COLLATE "C", last_complete timestamptz, scope_time bigint
);
CREATE INDEX ON scope_states (account, region);
COMMENT ON TABLE scope_states IS 'What the view scopes shows, with a reference to scope_times in place of the time.';

CREATE VIEW scopes AS
SELECT s.sync_id, s.cloud, s.account, s.region, s.kind, s.parent, s.state, s.kinds, s.scopes, s."rows", s.calls, s.error, s.code, s.request_id,
    s.duration_seconds, s.definition_hash, coalesce(t.last_complete, s.last_complete) AS last_complete
FROM scope_states s LEFT JOIN scope_times t ON t.scope_time = s.scope_time;
COMMENT ON VIEW scopes IS 'How the last reading of each scope ended. Complete kinds of an account and region share one row (kind is NULL, kinds names them), everything else has its own. The view scope_freshness unfolds it.';
COMMENT ON COLUMN scopes.sync_id IS 'The sync that last changed the state or the counts.';

CREATE TABLE problems (
    sync_id uuid, kind text COLLATE "C", account text COLLATE "C", region text COLLATE "C", call text COLLATE "C", "column" text COLLATE "C",
    code text COLLATE "C", count bigint, sample text
);
COMMENT ON TABLE problems IS 'What was wrong with answers in the last reading, counted, with a sample.';

CREATE TABLE metrics (name text COLLATE "C", labels jsonb, value double precision, measured_at timestamptz, sync_id uuid);
COMMENT ON TABLE metrics IS 'Time series of the metrics.';

CREATE TABLE kinds (
    kind text COLLATE "C", key text COLLATE "C" PRIMARY KEY, definition text COLLATE "C", definition_since timestamptz,
    columns jsonb, layout text COLLATE "C", parent text COLLATE "C", base jsonb, edges jsonb, names jsonb, maps text[]
);
COMMENT ON TABLE kinds IS 'The kinds that have a table and what it was made from.';
COMMENT ON COLUMN kinds.columns IS 'When each column was added to the definition, or removed from it.';
COMMENT ON COLUMN kinds.maps IS 'The columns of type jsonb that are maps of text.';
COMMENT ON COLUMN kinds.names IS 'Names longer than 63 bytes, of the kind and its columns, and what they are here.';

CREATE TABLE dewpoint_views (name text COLLATE "C" PRIMARY KEY, definition text);
COMMENT ON TABLE dewpoint_views IS 'The views that dewpoint made and recreates when their definition changes.';

CREATE VIEW resource_tags AS
SELECT r._id, t.key, t.value FROM resources r CROSS JOIN LATERAL jsonb_each_text(r.tags) t;
COMMENT ON VIEW resource_tags IS 'One row per tag.';

CREATE VIEW scope_freshness AS
SELECT cloud, account, region, kind, state, last_complete, now() - last_complete AS age
FROM (
    SELECT s.cloud, s.account, s.region, unnest(s.kinds) AS kind, 'complete' COLLATE "C" AS state, t.last_complete
    FROM scope_states s LEFT JOIN scope_times t ON t.scope_time = s.scope_time WHERE s.kind IS NULL
    UNION ALL
    SELECT cloud, account, region, kind,
        (array_agg(state ORDER BY array_position(ARRAY['not_applicable', 'skipped', 'unreachable', 'denied', 'throttled', 'timed_out', 'failed'] COLLATE "C", state) DESC NULLS LAST))[1],
        CASE WHEN count(last_complete) = count(*) THEN min(last_complete) END
    FROM scope_states WHERE kind IS NOT NULL GROUP BY cloud, account, region, kind
) f;
COMMENT ON VIEW scope_freshness IS 'State of the last reading and time of the last complete one, per cloud, account, region and kind.';

-- +goose StatementBegin
CREATE FUNCTION sync_time(sync uuid) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce((SELECT s.started_at FROM syncs s WHERE s.id = sync),
    CASE WHEN substr(sync::text, 15, 1) = '7'
        THEN to_timestamp(('x' || substr(replace(sync::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0) END);
-- +goose StatementEnd
COMMENT ON FUNCTION sync_time IS 'When a sync started, also where its row is past the retention.';

-- +goose StatementBegin
CREATE FUNCTION as_of(t timestamptz)
RETURNS TABLE (_id uuid, id text, name text, kind text, tags jsonb, created_at timestamptz, updated_at timestamptz,
    cloud text, account text, region text, urn text, doc jsonb) LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT r._id, r.id, r.name, r.kind, r.tags, r.created_at, r.updated_at, r.cloud, r.account, r.region, r.urn, NULL::jsonb
    FROM resources r WHERE sync_time(r._sync_id) <= t
    UNION ALL
    SELECT h._id, h.doc->>'id', h.doc->>'name', h.kind, nullif(h.doc->'tags', 'null'), (h.doc->>'created_at')::timestamptz,
        (h.doc->>'updated_at')::timestamptz, h.doc->>'cloud', h.doc->>'account', h.doc->>'region', h.doc->>'urn', h.doc
    FROM resource_history h WHERE h.valid_from <= t AND t < h.valid_to;
END;
-- +goose StatementEnd
COMMENT ON FUNCTION as_of IS 'The estate at a time: the unified columns; doc holds the whole row where it has changed or ended since, NULL where the kind''s table still holds it.';
