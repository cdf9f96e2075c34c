-- help: Reserved addresses.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM ip_addresses
GROUP BY 1, 2, 3
