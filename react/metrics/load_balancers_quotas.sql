-- help: Load balancers that may be had, by type.
-- type: gauge
-- needs: aws_servicequotas_service_quota
SELECT cloud, account, region, CASE quota_code WHEN 'L-53DA6B97' THEN 'application' WHEN 'L-69A177A2' THEN 'network' ELSE 'classic' END AS type, sum(value) AS value
FROM aws_servicequotas_service_quota
WHERE service_code = 'elasticloadbalancing' AND quota_code IN ('L-53DA6B97', 'L-69A177A2', 'L-E9E9831D')
GROUP BY 1, 2, 3, 4
