-- help: Firewalls of subnets.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM network_acls
GROUP BY 1, 2, 3
