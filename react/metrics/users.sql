-- help: Users.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM users
GROUP BY 1, 2, 3
