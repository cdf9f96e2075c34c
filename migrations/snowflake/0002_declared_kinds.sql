-- What the kinds are, beside what their tables show: kinds that are found at
-- run time are in no catalogue once their API is gone.

ALTER TABLE kinds ADD COLUMN IF NOT EXISTS cloud VARCHAR;

ALTER TABLE kinds ADD COLUMN IF NOT EXISTS declared VARCHAR COMMENT 'The whole kind as the last sync of it declared it, as JSON.';
