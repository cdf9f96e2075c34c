-- help: Cost of running virtual machines an hour, by list prices.
-- type: gauge
SELECT i.cloud, i.account, i.region, i.instance_type AS type, i.variant, sum(p.price) AS value
FROM (
    SELECT i._id, i.cloud, i.account, i.region, i.instance_type,
        {{if table "aws_ec2_instance"}}CASE WHEN a.instance_lifecycle IS NOT NULL THEN a.instance_lifecycle WHEN a.platform_details <> 'Linux/UNIX' THEN a.platform_details ELSE 'on-demand' END{{else}}'on-demand'{{end}} AS variant
    FROM instances i
    {{- if table "aws_ec2_instance"}} LEFT JOIN aws_ec2_instance a ON a._id = i._id{{end}}
    WHERE i.instance_status = 'running' AND i._id NOT IN (
    SELECT e.from_id FROM edges e JOIN resources r ON r._id = e.to_id
    WHERE e.from_kind = 'kubernetes_node' AND r.base = 'instance'
)
) i
JOIN {{prices "instance"}} p ON p.cloud = i.cloud AND p.region = i.region AND p.type = i.instance_type AND p.variant = i.variant
GROUP BY 1, 2, 3, 4, 5
