{{ config(materialized='view') }}
-- A load balancer and the interfaces that AWS made for it, by their description: "ELB app/NAME/ID" or "ELB NAME".
select l._id as from_id, l.kind as from_kind, 'uses' as type, i._id as to_id, i.kind as to_kind, 'interface' as relation
from {{ source('dewpoint', 'aws_ec2_network_interface') }} i
join {{ ref('stg_load_balancers') }} l on l.account = i.account and l.region = i.region and (
    (l.kind = 'aws_elb_load_balancer' and i.description = 'ELB ' || l.name)
    or (l.kind = 'aws_elbv2_load_balancer' and i.description = 'ELB ' || split_part(l.urn, ':loadbalancer/', 2)))
where i.description like 'ELB %'
