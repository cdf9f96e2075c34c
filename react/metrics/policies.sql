-- help: Policies.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM policies
GROUP BY 1, 2, 3
