-- help: Roles of instances.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM instance_profiles
GROUP BY 1, 2, 3
