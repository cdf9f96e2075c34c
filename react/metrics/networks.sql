-- help: Virtual networks.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM networks
GROUP BY 1, 2, 3
