-- What there is now, per kind, account, region and team; things that two kinds describe count once.
select r.cloud, r.account, r.region, r.kind, r.base, coalesce(o.team, 'unknown') as team,
    count(*) as resources,
    sum(case when s._id is null then 1 else 0 end) as counted
from {{ source('dewpoint', 'resources') }} r
left join {{ ref('resource_owners') }} o on o._id = r._id
left join {{ ref('same_things') }} s on s._id = r._id
group by r.cloud, r.account, r.region, r.kind, r.base, coalesce(o.team, 'unknown')
