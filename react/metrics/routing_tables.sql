-- help: Route tables.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM routing_tables
GROUP BY 1, 2, 3
