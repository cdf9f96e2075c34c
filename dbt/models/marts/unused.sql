-- Things that cost and that nothing uses, since when, and whether everything that could use them was read: where evidence is
-- partial, a user may only be hidden. since is the last change of the thing, or its creation.
with idle as (
    select v._id, 'volume' as what, 'attached to nothing' as reason, 'aws_ec2_instance' as user_kind
    from {{ ref('stg_volumes') }} v
    where v.volume_status = 'available' and v.counted
        and not exists (select 1 from {{ ref('relationships') }} r where r.to_id = v._id and r.type in ('uses', 'attaches') and r.relation <> 'created_from')
    union all
    select a._id, 'address', 'attached to nothing', 'aws_ec2_network_interface'
    from {{ ref('stg_ip_addresses') }} a
    where not exists (select 1 from {{ ref('relationships') }} r where r.from_id = a._id and r.type = 'attaches')
        and not exists (select 1 from {{ ref('relationships') }} r where r.to_id = a._id and r.type = 'uses')
    union all
    select l._id, 'load balancer', 'no target', 'aws_elbv2_target_group'
    from {{ ref('stg_load_balancers') }} l
    where not exists (
        select 1 from {{ ref('reachable_from') }} f join {{ source('dewpoint', 'resources') }} t on t._id = f.to_id
        where f.from_id = l._id and (t.base in ('instance', 'serverless_function', 'network_interface') or t.kind like '%_pod' or t.kind like '%service'))
        and not exists (select 1 from {{ ref('relationships') }} r where r.from_id = l._id and r.type = 'routes')
    union all
    select s._id, 'snapshot', 'its volume is gone', 'aws_ec2_volume'
    from {{ ref('stg_snapshots') }} s
    join {{ source('dewpoint', 'edges') }} e on e.from_id = s._id and e.relation = 'created_from'
    where e.to_id is null
        and not exists (select 1 from {{ ref('relationships') }} r where r.from_id = s._id and r.relation = 'created_from')
        and not exists (select 1 from {{ ref('relationships') }} r where r.to_id = s._id and r.type = 'uses')
    union all
    select c._id, 'cluster', 'nothing in it', c.kind
    from {{ source('dewpoint', 'resources') }} c
    where (c.base = 'kubernetes_cluster' or c.kind = 'aws_ecs_cluster')
        and not exists (select 1 from {{ ref('relationships') }} r where r.from_id = c._id and r.type = 'contains')
), changes as (
    select _id, max(valid_to) as changed_at from {{ source('dewpoint', 'resource_history') }}
    where change = 'changed' group by _id
), completeness as (
    select cloud, account, region, kind, max(case when state in ('complete', 'not_applicable') then 0 else 1 end) = 0 as complete
    from {{ source('dewpoint', 'scope_freshness') }} group by cloud, account, region, kind
)

select i._id, i.what, i.reason, r.kind, r.id, r.name, r.account, r.region, o.owner, o.team,
    coalesce(c.changed_at, r.created_at) as since,
    {{ dewpoint.days_between('coalesce(c.changed_at, r.created_at)', dewpoint.utc_now()) }} as days,
    coalesce({{ dewpoint.days_between('coalesce(c.changed_at, r.created_at)', dewpoint.utc_now()) }} >= {{ var('unused_days') }}, false) as for_long,
    case when coalesce(f.complete, false) or r.cloud <> 'aws' then 'complete' else 'partial' end as evidence
from (select _id, what, min(reason) as reason, min(user_kind) as user_kind from idle group by _id, what) i
join {{ source('dewpoint', 'resources') }} r on r._id = i._id
left join changes c on c._id = i._id
left join {{ ref('resource_owners') }} o on o._id = i._id
left join completeness f on f.cloud = r.cloud and f.account = r.account and f.region = r.region and f.kind = i.user_kind
