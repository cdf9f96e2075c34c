-- help: TLS certificates that may be had.
-- type: gauge
-- needs: aws_servicequotas_service_quota
SELECT cloud, account, region, sum(value) AS value
FROM aws_servicequotas_service_quota
WHERE service_code = 'acm' AND quota_code = 'L-F141DD1D'
GROUP BY 1, 2, 3
