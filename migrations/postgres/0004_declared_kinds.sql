-- What the kinds are, beside what their tables show: kinds that are found at
-- run time are in no catalogue once their API is gone. The type json keeps
-- the text as it was written, for its hash.

-- +goose Up
ALTER TABLE kinds ADD COLUMN cloud text COLLATE "C", ADD COLUMN declared json;
COMMENT ON COLUMN kinds.declared IS 'The whole kind as the last sync of it declared it.';
