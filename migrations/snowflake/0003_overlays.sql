-- The copies that plans are checked again on, by the names of their schemas.
-- Each is entered before it is made, and removed after it is dropped.

CREATE TABLE IF NOT EXISTS dewpoint_overlays (name VARCHAR, holder VARCHAR, made_at TIMESTAMP_TZ(6))
COMMENT = 'The copies of the estate that plans are being applied on: schemas of this database.';
