-- help: Buckets that may be had.
-- type: gauge
-- needs: aws_servicequotas_service_quota
SELECT cloud, account, region, sum(value) AS value
FROM aws_servicequotas_service_quota
WHERE service_code = 's3' AND quota_code = 'L-DC2B2D3D'
GROUP BY 1, 2, 3
