-- help: Health checks.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM health_checks
GROUP BY 1, 2, 3
