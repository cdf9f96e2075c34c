-- help: Share of the scopes that were read completely, of those that apply.
-- type: gauge
-- unit: ratio
SELECT cloud, account, region, avg(CASE WHEN state = 'complete' THEN 1.0 ELSE 0.0 END) AS value
FROM scope_freshness
WHERE state <> 'not_applicable'
GROUP BY 1, 2, 3
