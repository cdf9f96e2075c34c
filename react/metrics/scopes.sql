-- help: Scopes (a kind in a region of an account), by how their last reading ended.
-- type: gauge
SELECT cloud, account, region, state, count(*) AS value
FROM scope_freshness
GROUP BY 1, 2, 3, 4
