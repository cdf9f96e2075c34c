-- help: Storage of block devices that may be had, by type.
-- type: gauge
-- unit: bytes
-- needs: aws_servicequotas_service_quota
SELECT cloud, account, region, quota_name AS type, sum(value * 1099511627776) AS value
FROM aws_servicequotas_service_quota
WHERE service_code = 'ebs' AND quota_name LIKE 'Storage for %, in TiB'
GROUP BY 1, 2, 3, 4
