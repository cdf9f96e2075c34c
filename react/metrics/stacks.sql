-- help: Stacks of managed resources.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM stacks
GROUP BY 1, 2, 3
