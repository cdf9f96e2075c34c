-- help: Object stores.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM buckets
GROUP BY 1, 2, 3
