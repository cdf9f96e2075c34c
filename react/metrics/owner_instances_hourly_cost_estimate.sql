-- help: Cost of running on-demand virtual machines an hour by owner, by list prices.
-- type: gauge
SELECT i.cloud, i.account, i.owner, sum(i.n * p.price) AS value
FROM (
    SELECT i.cloud, i.account, i.region, i.instance_type AS type, {{owner "i.tags"}} AS owner, count(*) AS n
    FROM instances i
    {{- if table "aws_ec2_instance"}} LEFT JOIN aws_ec2_instance a ON a._id = i._id{{end}}
    WHERE i.instance_status = 'running'
        {{- if table "aws_ec2_instance"}} AND a.instance_lifecycle IS NULL AND coalesce(a.platform_details, 'Linux/UNIX') = 'Linux/UNIX'{{end}}
    GROUP BY 1, 2, 3, 4, 5
) i
JOIN {{prices "instance" "on-demand"}} p ON p.cloud = i.cloud AND p.region = i.region AND p.type = i.type
GROUP BY 1, 2, 3
