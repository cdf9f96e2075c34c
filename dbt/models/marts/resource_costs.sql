{{ config(indexes=[{'columns': ['_id']}]) }}
-- What a resource costs at list price while it stands as it is, in US dollars without tax: an estimate from the seed prices, on demand,
-- without data transfer, requests, discounts and commitments. basis tells what it is made of. A resource whose price is not known
-- has hourly_usd NULL and missing true: no total is one without the number of those. One row per billable part of a resource.
with sizes as (
    -- What Google's machine types have: their price is that of their cores and memory. Those that share a core pay for a part of it.
    select name, region, max(instance_cores) as cores, max(instance_memory_bytes) / 1073741824.0 as memory_gib
    from {{ ref('stg_instance_types') }} where cloud = 'gcp' group by name, region
), google as (
    select i._id, i.cloud, i.region, split_part(i.instance_type, '-', 1) as family, i.instance_status <> 'running' as idle,
        case i.instance_type when 'e2-micro' then 0.25 when 'e2-small' then 0.5 when 'e2-medium' then 1.0
            else {{ dewpoint.as_float('s.cores') }} end as cores,
        case i.instance_type when 'e2-micro' then 1.0 when 'e2-small' then 2.0 when 'e2-medium' then 4.0
            else {{ dewpoint.as_float('s.memory_gib') }} end as memory_gib
    from {{ ref('stg_instances') }} i
    left join sizes s on s.name = i.instance_type and s.region = i.region
    where i.cloud = 'gcp' and i.counted and i.instance_status <> 'terminated'
), parts as (
    select _id, 'cores' as part, cloud, region, 'cores' as item_kind, family as item, '' as variant, cores as quantity, 'hour' as unit,
        idle, 'not running' as idle_reason
    from google
    union all
    select _id, 'memory', cloud, region, 'memory', family, '', memory_gib, 'hour', idle, 'not running' from google
    union all
    select i._id, 'instance' as part, i.cloud, i.region, 'instance' as item_kind, i.instance_type as item,
        case when lower(coalesce(x.platform, '')) like 'windows%' then 'windows'
            when lower(coalesce(x.platform_details, '')) like 'red hat%' then 'rhel'
            when lower(coalesce(x.platform_details, '')) like 'suse%' then 'suse' else 'linux' end as variant,
        1.0 as quantity, 'hour' as unit, i.instance_status <> 'running' as idle, 'not running' as idle_reason
    from {{ ref('stg_instances') }} i
    left join {{ source('dewpoint', 'aws_ec2_instance') }} x on x._id = i._id
    where i.counted and i.instance_status <> 'terminated' and i.cloud <> 'gcp'
    union all
    select _id, 'storage', cloud, region, 'volume', volume_type, '', volume_size_bytes / 1073741824.0, 'gb_month', false, ''
    from {{ ref('stg_volumes') }} where counted
    union all
    -- General purpose volumes of the third generation bring 3,000 operations and 125 MiB a second.
    select _id, 'operations', cloud, region, 'volume_iops', volume_type, '',
        volume_iops - case when volume_type = 'gp3' then 3000 else 0 end, 'iops_month', false, ''
    from {{ ref('stg_volumes') }}
    where counted and ((volume_type = 'gp3' and volume_iops > 3000) or volume_type in ('io1', 'io2'))
    union all
    select _id, 'throughput', cloud, region, 'volume_throughput', volume_type, '', volume_throughput - 125, 'mibps_month', false, ''
    from {{ ref('stg_volumes') }} where counted and volume_type = 'gp3' and volume_throughput > 125
    union all
    select d._id, 'instance', d.cloud, d.region, 'database', d.instance_type,
        lower(coalesce(d.db_type, '')) || case when coalesce(x.multi_az, false) then ' multi-az' else '' end, 1.0, 'hour',
        d.db_status = 'stopped', 'stopped'
    from {{ ref('stg_databases') }} d
    left join {{ source('dewpoint', 'aws_rds_db_instance') }} x on x._id = d._id
    where d.instance_type is not null
    union all
    select d._id, 'storage', d.cloud, d.region, 'database_storage', coalesce(x.storage_type, ''),
        case when coalesce(x.multi_az, false) then 'multi-az' else '' end, d.volume_size_bytes / 1073741824.0, 'gb_month', false, ''
    from {{ ref('stg_databases') }} d
    left join {{ source('dewpoint', 'aws_rds_db_instance') }} x on x._id = d._id
    where d.volume_size_bytes > 0 and lower(coalesce(d.db_type, '')) not like 'aurora%'
    union all
    select _id, 'hours', cloud, region, 'load_balancer', lb_type, '', 1.0, 'hour', false, '' from {{ ref('stg_load_balancers') }}
    where cloud <> 'kubernetes' -- what a service or an ingress costs is that of its cloud's load balancer
    union all
    select _id, 'hours', cloud, region, 'address', 'public', '', 1.0, 'hour', false, '' from {{ ref('stg_ip_addresses') }}
    union all
    select _id, 'hours', cloud, region, 'nat_gateway', '', '', 1.0, 'hour', coalesce(state in ('deleted', 'failed'), false), 'deleted'
    from {{ source('dewpoint', 'aws_ec2_nat_gateway') }}
), priced as (
    -- Of several prices the newest counts.
    select cloud, region, item_kind, item, variant, unit, price_usd, as_of, source,
        row_number() over (partition by cloud, region, item_kind, coalesce(item, ''), coalesce(variant, ''), unit order by as_of desc, price_usd) as newest
    from {{ ref('prices') }}
)

select p._id, p.part, r.kind, r.id, r.name, r.cloud, r.account, r.region, o.owner, o.team,
    case when p.idle then 0.0 else p.quantity * q.price_usd / case when p.unit = 'hour' then 1.0 else 730.0 end end as hourly_usd,
    case when p.idle then 0.0 else p.quantity * q.price_usd * case when p.unit = 'hour' then 730.0 else 1.0 end end as monthly_usd,
    not p.idle and (q.price_usd is null or p.quantity is null) as missing,
    case when p.idle then p.idle_reason
        when p.quantity is null and q.price_usd is not null then 'the size is not known: read gcp_compute_machine_type too'
        when q.price_usd is null then 'no price of ' || p.item_kind || ' ' || coalesce(p.item, '') || ' ' || p.variant || ' in ' || p.region
        else p.item_kind || ' ' || coalesce(p.item, '') || ' ' || p.variant || ' per ' || p.unit || ', on demand, ' || q.source || ', '
            || cast(q.as_of as varchar) end as basis
from parts p
join {{ source('dewpoint', 'resources') }} r on r._id = p._id
left join {{ ref('resource_owners') }} o on o._id = p._id
left join priced q on q.newest = 1 and q.cloud = p.cloud and q.region = {{ dewpoint.region_of_zone('p.cloud', 'p.region') }} and q.item_kind = p.item_kind
    and coalesce(q.item, '') = coalesce(p.item, '') and coalesce(q.variant, '') = p.variant and q.unit = p.unit
