-- help: Firewalls of instances.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM security_groups
GROUP BY 1, 2, 3
