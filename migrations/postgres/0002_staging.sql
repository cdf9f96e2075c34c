-- What a sync works with, in the schema of the staging: unlogged and emptied
-- by TRUNCATE, so that it costs no WAL and autovacuum has nothing to do. Both
-- search paths are settings of the transaction.

-- +goose Up
SELECT set_config('search_path', current_setting('dewpoint.staging'), true);

CREATE UNLOGGED TABLE _readings (
    kind integer, pos bigint, _id uuid, _hash uuid, scope bigint, owner boolean, unread boolean
) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _edges (
    kind integer, pos bigint, from_id uuid, decl integer, to_ref text COLLATE "C", account text COLLATE "C", region text COLLATE "C", _scope text COLLATE "C"
) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _scopes (
    kind integer, hash bigint, scope text COLLATE "C", cloud text COLLATE "C", account text COLLATE "C", region text COLLATE "C", parent text COLLATE "C",
    state text COLLATE "C", "rows" bigint, calls bigint, error text, code text COLLATE "C", request_id text COLLATE "C", duration_seconds double precision
) WITH (autovacuum_enabled = false);

CREATE UNLOGGED TABLE _kinds (
    kind integer, name text COLLATE "C", parent text COLLATE "C", key text COLLATE "C", definition text COLLATE "C"
) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _declarations (
    kind integer, decl integer, from_kind text COLLATE "C", to_kind text COLLATE "C", relation text COLLATE "C", match text COLLATE "C", on_delete text COLLATE "C"
) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _done (kind integer, scope text COLLATE "C", parent text COLLATE "C") WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _names (hash bigint, scope text COLLATE "C") WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _twice (kind integer, _id uuid) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _reported (_id uuid) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _choice (
    kind integer, pos bigint, _id uuid, action "char", scope text COLLATE "C", t_scope text COLLATE "C", readings bigint, unread boolean, reported boolean, t_done boolean
) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _compared (
    kind integer, pos bigint, _id uuid, changed text[], vol boolean, new_hash boolean, new_unread boolean, new_scope boolean, unread boolean
) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _sight (kind text COLLATE "C", _id uuid, _scope text COLLATE "C") WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _moved (kind text COLLATE "C", _id uuid, _scope text COLLATE "C") WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _closed (cloud text COLLATE "C", account text COLLATE "C") WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _unseen (kind integer, _id uuid) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _absent (kind integer, _id uuid, _scope text COLLATE "C", _sync_id uuid, other text COLLATE "C") WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _gone (kind text COLLATE "C", _id uuid, change text COLLATE "C") WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _new_edges (
    from_id uuid, from_kind text COLLATE "C", relation text COLLATE "C", to_kind text COLLATE "C", to_ref text COLLATE "C", match text COLLATE "C",
    on_delete text COLLATE "C", account text COLLATE "C", region text COLLATE "C", _scope text COLLATE "C"
) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _open_edges (LIKE _new_edges) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _old_edges (
    from_id uuid, relation text COLLATE "C", to_kind text COLLATE "C", to_ref text COLLATE "C", resolution text COLLATE "C",
    match text COLLATE "C", account text COLLATE "C", region text COLLATE "C"
) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _refs (
    to_kind text COLLATE "C", match text COLLATE "C", account text COLLATE "C", region text COLLATE "C", to_ref text COLLATE "C"
) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _resolved (
    to_kind text COLLATE "C", match text COLLATE "C", account text COLLATE "C", region text COLLATE "C", to_ref text COLLATE "C",
    found_kind text COLLATE "C", resolution text COLLATE "C", to_id uuid
) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _asked (
    cloud text COLLATE "C", account text COLLATE "C", region text COLLATE "C", kind text COLLATE "C", scopes bigint, bad bigint, "rows" bigint, calls bigint
) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _places (
    cloud text COLLATE "C", account text COLLATE "C", region text COLLATE "C", asked text[] COLLATE "C", kinds text[] COLLATE "C",
    scopes bigint, "rows" bigint, calls bigint, definition_hash text COLLATE "C"
) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _standing (
    rid tid, cloud text COLLATE "C", account text COLLATE "C", region text COLLATE "C", stands boolean, left_over text[] COLLATE "C", scope_time bigint
) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _incomplete (
    cloud text COLLATE "C", account text COLLATE "C", region text COLLATE "C", kind text COLLATE "C", parent text COLLATE "C", state text COLLATE "C",
    "rows" bigint, calls bigint, error text, code text COLLATE "C", request_id text COLLATE "C", duration_seconds double precision,
    definition text COLLATE "C", last_complete timestamptz
) WITH (autovacuum_enabled = false);
CREATE UNLOGGED TABLE _problems (
    kind text COLLATE "C", account text COLLATE "C", region text COLLATE "C", call text COLLATE "C", "column" text COLLATE "C", code text COLLATE "C", sample text, count bigint
) WITH (autovacuum_enabled = false);

SELECT set_config('search_path', current_setting('dewpoint.path'), true);
