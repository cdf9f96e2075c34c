{{ config(materialized='view') }}
-- What is behind an address: what has it, and what traffic to that reaches.
with found as (
    select ip, _id, 0 as depth from {{ ref('addresses') }}
    union all
    select a.ip, r.to_id, r.depth from {{ ref('addresses') }} a join {{ ref('reachable_from') }} r on r.from_id = a._id
)

select f.ip, f._id, min(f.depth) as depth, r.kind, r.id, r.name, r.account, r.region
from found f
join {{ source('dewpoint', 'resources') }} r on r._id = f._id
group by f.ip, f._id, r.kind, r.id, r.name, r.account, r.region
