-- help: Cost of running on-demand virtual machines an hour by owner, by list prices.
-- type: gauge
SELECT i.cloud, i.account, {{owner "i.tags"}} AS owner, sum(p.price) AS value
FROM instances i
JOIN {{prices "instance" "on-demand"}} p ON p.cloud = i.cloud AND p.region = i.region AND p.type = i.instance_type
{{- if table "aws_ec2_instance"}}
LEFT JOIN aws_ec2_instance a ON a._id = i._id{{end}}
WHERE i.instance_status = 'running'
    {{- if table "aws_ec2_instance"}} AND a.instance_lifecycle IS NULL AND coalesce(a.platform_details, 'Linux/UNIX') = 'Linux/UNIX'{{end}}
GROUP BY 1, 2, 3
