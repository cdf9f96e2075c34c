{{ config(materialized='view') }}
-- One thing that two kinds describe: a machine as a Kubernetes node and as an instance of its cloud, a disk as a persistent
-- volume and as a volume, a database cluster and its instances. canonical_id is the one that is counted.
with pairs as (
    select e.from_id as _id, min({{ dewpoint.as_text('e.to_id') }}) as canonical
    from {{ source('dewpoint', 'edges') }} e
    join {{ source('dewpoint', 'resources') }} f on f._id = e.from_id
    join {{ source('dewpoint', 'resources') }} t on t._id = e.to_id
    where f.base in ('instance', 'volume', 'database') and t.base = f.base and f._id <> t._id
        and (f.kind <> t.kind) and e.relation <> 'created_from'
    group by e.from_id
)

select p._id, cast(coalesce(further.canonical, p.canonical) as {{ dewpoint.id_type() }}) as canonical_id
from pairs p
left join pairs further on {{ dewpoint.as_text('further._id') }} = p.canonical
