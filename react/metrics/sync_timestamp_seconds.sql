-- help: When the newest sync ended, by its state.
-- type: gauge
-- unit: seconds
SELECT state, {{epoch "max(finished_at)"}} AS value
FROM syncs
GROUP BY 1
