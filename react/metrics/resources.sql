-- help: Resources, by kind.
-- type: gauge
SELECT cloud, account, region, kind, count(*) AS value
FROM resources
GROUP BY 1, 2, 3, 4
