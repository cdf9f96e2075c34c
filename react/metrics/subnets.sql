-- help: Subnets.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM subnets
GROUP BY 1, 2, 3
