-- help: How long the newest sync took.
-- type: gauge
-- unit: seconds
SELECT {{seconds "started_at" "finished_at"}} AS value
FROM syncs
WHERE started_at = (SELECT max(started_at) FROM syncs)
