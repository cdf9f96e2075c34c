-- help: Reserved instances that are in force.
-- type: gauge
-- needs: aws_ec2_reserved_instances
SELECT cloud, account, region, instance_type AS type, offering_class AS quota_type, sum(instance_count) AS value
FROM aws_ec2_reserved_instances
WHERE state = 'active'
GROUP BY 1, 2, 3, 4, 5
