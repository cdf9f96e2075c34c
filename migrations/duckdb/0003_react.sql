-- What rules remember, as it is in the file of react.state when a sync ends.

CREATE TABLE marks (rule VARCHAR, _id UUID, doc JSON);
COMMENT ON TABLE marks IS 'Since when resources match a rule: its grace runs from there.';
COMMENT ON COLUMN marks.doc IS 'rule_hash, incarnation, first_matched_at, first_sync_id, last_matched_at, absent_at, frozen_at.';

CREATE TABLE actions (action_id UUID, plan_id UUID, began_at TIMESTAMPTZ, "at" TIMESTAMPTZ, state VARCHAR, doc JSON);
COMMENT ON TABLE actions IS 'The ledger: what rules did, entered before each call and after it.';
COMMENT ON COLUMN actions.state IS 'intent, called, done, failed, unknown.';
COMMENT ON COLUMN actions.doc IS 'rule, verb, resource, reason, calls, request id and error.';
