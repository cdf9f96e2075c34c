-- help: Private endpoints of services.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM endpoints
GROUP BY 1, 2, 3
