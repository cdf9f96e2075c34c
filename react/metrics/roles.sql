-- help: Roles.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM roles
GROUP BY 1, 2, 3
