-- help: Internet gateways that may be had.
-- type: gauge
-- needs: aws_servicequotas_service_quota
SELECT cloud, account, region, sum(value) AS value
FROM aws_servicequotas_service_quota
WHERE service_code = 'vpc' AND quota_code = 'L-A4707A72'
GROUP BY 1, 2, 3
