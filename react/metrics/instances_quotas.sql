-- help: Virtual CPUs that may run, by family and how they are bought.
-- type: gauge
-- needs: aws_servicequotas_service_quota
SELECT cloud, account, region, quota_name AS type, CASE WHEN quota_name LIKE 'All %' THEN 'spot' ELSE 'on-demand' END AS quota_type, sum(value) AS value
FROM aws_servicequotas_service_quota
WHERE service_code = 'ec2' AND (quota_name LIKE 'Running On-Demand % instances' OR quota_name LIKE 'All % Spot Instance Requests')
GROUP BY 1, 2, 3, 4, 5
