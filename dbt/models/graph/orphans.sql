-- Resources that nothing is related to. Kinds of which no resource is related to anything are left out: there, it says nothing.
with related as (
    select distinct r.kind from {{ source('dewpoint', 'resources') }} r join {{ ref('graph_nodes') }} n on n._id = r._id
)

select r._id, r.kind, r.id, r.name, r.account, r.region, r.created_at
from {{ source('dewpoint', 'resources') }} r
join related k on k.kind = r.kind
left join {{ ref('graph_nodes') }} n on n._id = r._id
where n._id is null
