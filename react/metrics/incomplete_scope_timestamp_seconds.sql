-- help: When each scope whose last reading was not complete was last read completely; 0 is never.
-- type: gauge
-- unit: seconds
SELECT cloud, account, region, kind, state, coalesce({{epoch "last_complete"}}, 0) AS value
FROM scope_freshness
WHERE state NOT IN ('complete', 'not_applicable')
