-- Every address and who has it. One row per address and resource.
with found as (
    select ip_address as ip, _id, true as reserved from {{ ref('stg_ip_addresses') }}
    union all
    select private_ip, _id, false from {{ ref('stg_network_interfaces') }}
    union all
    select public_ip, _id, false from {{ ref('stg_network_interfaces') }}
    union all
    select {{ dewpoint.json_text('a.value', 'PrivateIpAddress') }}, i._id, false
    from {{ source('dewpoint', 'aws_ec2_network_interface') }} i
    {{ dewpoint.each_item(dewpoint.json_array('i.private_ip_addresses'), 'a') }}
    union all
    select public_ip_address, _id, false from {{ source('dewpoint', 'aws_ec2_instance') }}
    union all
    select private_ip_address, _id, false from {{ source('dewpoint', 'aws_ec2_instance') }}
    union all
    select {{ dewpoint.json_text('a.value', 'PublicIp') }}, g._id, false
    from {{ source('dewpoint', 'aws_ec2_nat_gateway') }} g
    {{ dewpoint.each_item(dewpoint.json_array('g.nat_gateway_addresses'), 'a') }}
    {% for column in ['private_ips', 'public_ips'] %}
    union all
    select a.value, i._id, false
    from {{ source('dewpoint', 'gcp_compute_instance') }} i
    {{ dewpoint.each_text('i.' ~ column, 'a') }}
    {% endfor %}
    union all
    select ip_address, _id, false from {{ source('dewpoint', 'gcp_compute_forwarding_rule') }}
    union all
    -- A pod in its node's network has the node's address, not one of its own.
    select status_pod_ip, _id, false from {{ source('dewpoint', 'kubernetes_pod') }} where status_pod_ip <> coalesce(status_host_ip, '')
    union all
    select {{ dewpoint.json_text('a.value', 'address') }}, n._id, false
    from {{ source('dewpoint', 'kubernetes_node') }} n
    {{ dewpoint.each_item(dewpoint.json_array('n.status_addresses'), 'a') }}
    where {{ dewpoint.json_text('a.value', 'type') }} in ('InternalIP', 'ExternalIP')
    union all
    select spec_cluster_ip, _id, false from {{ source('dewpoint', 'kubernetes_service') }} where spec_cluster_ip <> 'None'
    union all
    select ip, _id, false from {{ ref('ingress_points') }} where ip is not null
)

select
    f.ip, f._id, r.kind, r.account, r.region,
    case when f.ip like '10.%' or f.ip like '192.168.%' or f.ip like 'fc%' or f.ip like 'fd%' or f.ip like 'fe80%' or f.ip like '169.254.%'
        or (f.ip like '172.%' and length(split_part(f.ip, '.', 2)) = 2 and split_part(f.ip, '.', 2) between '16' and '31')
        then false else true end as public,
    max(case when f.reserved then 1 else 0 end) = 1 as reserved
from found f
join {{ source('dewpoint', 'resources') }} r on r._id = f._id
where f.ip is not null and f.ip <> ''
group by f.ip, f._id, r.kind, r.account, r.region
