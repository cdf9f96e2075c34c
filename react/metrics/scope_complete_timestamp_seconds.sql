-- help: When the oldest of the scopes of an account and region was last read completely.
-- type: gauge
-- unit: seconds
SELECT cloud, account, region, {{epoch "min(last_complete)"}} AS value
FROM scope_freshness
WHERE state <> 'not_applicable'
GROUP BY 1, 2, 3
