-- help: Internet, NAT and transit gateways.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM gateways
GROUP BY 1, 2, 3
