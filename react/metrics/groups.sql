-- help: Groups of users.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM groups
GROUP BY 1, 2, 3
