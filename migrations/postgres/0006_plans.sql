-- Plans that can be applied, so that another host can apply them.

-- +goose Up
CREATE TABLE plans (id uuid PRIMARY KEY, rule text COLLATE "C", made_at timestamptz, made_by text COLLATE "C", expires_at timestamptz, ready bigint, doc jsonb);
COMMENT ON TABLE plans IS 'Plans of which something can be done, for 30 days: react apply ID carries one out.';
COMMENT ON COLUMN plans.ready IS 'How many resources would be acted on.';
COMMENT ON COLUMN plans.doc IS 'The plan, as a file of plans has it.';
