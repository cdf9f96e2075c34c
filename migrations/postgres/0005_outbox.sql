-- What is to be delivered at least once, until it is.

-- +goose Up
CREATE TABLE outbox (id uuid PRIMARY KEY, at timestamptz, doc jsonb);
COMMENT ON TABLE outbox IS 'Messages and runs of programs that are not known to have been taken: the next round repeats them.';
COMMENT ON COLUMN outbox.doc IS 'kind, to, body.';
