{{ config(materialized='view') }}
-- Who uses a security group: what bears it itself, and what bears it by its network interface. direct tells which. A group that is
-- in no row protects nothing.
with bearers as (
    select r.to_id as security_group_id, r.from_id as user_id
    from {{ ref('relationships') }} r
    join {{ ref('stg_security_groups') }} g on g._id = r.to_id
    where r.type = 'uses' and r.referrer = 'from'
), users as (
    select security_group_id, user_id, 1 as direct from bearers
    union all
    select b.security_group_id, r.from_id, 0
    from bearers b
    join {{ ref('stg_network_interfaces') }} i on i._id = b.user_id
    join {{ ref('relationships') }} r on r.to_id = i._id and r.type in ('uses', 'attaches') and r.from_id <> b.security_group_id
)

select u.security_group_id, u.user_id, r.kind as user_kind, r.id as user_resource, r.name as user_name, max(u.direct) = 1 as direct
from users u
join {{ source('dewpoint', 'resources') }} r on r._id = u.user_id
group by u.security_group_id, u.user_id, r.kind, r.id, r.name
