-- Where a resource is: its account and region as resources, and the nearest network, subnet and cluster that it is in, by
-- whatever path. One row per resource.
with homes as (
    select c.from_id as _id, r.base, c.to_id, c.depth,
        row_number() over (partition by c.from_id, r.base order by c.depth, {{ dewpoint.as_text('c.to_id') }}) as nearest
    from {{ ref('closure') }} c
    join {{ source('dewpoint', 'resources') }} r on r._id = c.to_id
    where r.base in ('network', 'subnet', 'kubernetes_cluster')
), accounts as (
    select cloud, account, min({{ dewpoint.as_text('_id') }}) as _id from {{ ref('stg_accounts') }} group by cloud, account
), regions as (
    select cloud, account, name, min({{ dewpoint.as_text('_id') }}) as _id from {{ ref('stg_regions') }} group by cloud, account, name
), nearest as (
    select _id,
        max(case when base = 'network' then {{ dewpoint.as_text('to_id') }} end) as network_id,
        max(case when base = 'subnet' then {{ dewpoint.as_text('to_id') }} end) as subnet_id,
        max(case when base = 'kubernetes_cluster' then {{ dewpoint.as_text('to_id') }} end) as cluster_id
    from homes where nearest = 1 group by _id
)

select
    r._id, r.kind, r.cloud, r.account, r.region,
    cast(a._id as {{ dewpoint.id_type() }}) as account_id,
    cast(g._id as {{ dewpoint.id_type() }}) as region_id,
    cast(n.network_id as {{ dewpoint.id_type() }}) as network_id,
    cast(n.subnet_id as {{ dewpoint.id_type() }}) as subnet_id,
    cast(n.cluster_id as {{ dewpoint.id_type() }}) as cluster_id
from {{ source('dewpoint', 'resources') }} r
left join accounts a on a.cloud = r.cloud and a.account = r.account
left join regions g on g.cloud = r.cloud and g.account = r.account and g.name = r.region
left join nearest n on n._id = r._id
