-- help: SSH key pairs.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM keypairs
GROUP BY 1, 2, 3
