-- help: TLS certificates.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM certificates
GROUP BY 1, 2, 3
