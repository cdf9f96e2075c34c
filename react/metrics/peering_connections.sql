-- help: Peerings of networks.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM peering_connections
GROUP BY 1, 2, 3
