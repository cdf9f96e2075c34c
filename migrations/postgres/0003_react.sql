-- What rules remember: marks of grace, and the ledger of actions.

-- +goose Up
CREATE TABLE marks (rule text COLLATE "C", _id uuid, doc jsonb, PRIMARY KEY (rule, _id));
COMMENT ON TABLE marks IS 'Since when resources match a rule: its grace runs from there.';
COMMENT ON COLUMN marks.doc IS 'rule_hash, incarnation, first_matched_at, first_sync_id, last_matched_at, notified_at, frozen_at.';

CREATE TABLE actions (action_id uuid PRIMARY KEY, plan_id uuid, began_at timestamptz, at timestamptz, state text COLLATE "C", doc jsonb);
CREATE INDEX ON actions (plan_id);
CREATE INDEX ON actions (at);
COMMENT ON TABLE actions IS 'The ledger: what rules did, entered before each call and after it.';
COMMENT ON COLUMN actions.state IS 'intent, called, waiting, done, failed, unknown.';
COMMENT ON COLUMN actions.doc IS 'rule, verb, resource, reason, calls, request id and error.';

CREATE TABLE react_leases (name text COLLATE "C" PRIMARY KEY, token uuid, holder text, expires_at timestamptz);
COMMENT ON TABLE react_leases IS 'Who applies plans, and until when that is believed.';
