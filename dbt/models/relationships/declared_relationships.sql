{{ config(materialized='view') }}
-- The edges that found their resource, typed and in the direction of their type. One row per pair and relation: the strictest
-- consequence counts where the vendor names a resource twice.
select
    case when turned then to_id else from_id end as from_id,
    case when turned then to_kind else from_kind end as from_kind,
    type,
    case when turned then from_id else to_id end as to_id,
    case when turned then from_kind else to_kind end as to_kind,
    relation,
    case when turned then 'to' else 'from' end as referrer,
    case strictness when 3 then 'cascade' when 2 then 'block' when 1 then 'detach' else 'none' end as on_delete,
    'declared' as origin
from (
    select
        e.from_id, e.to_id, e.relation,
        min(e.from_kind) as from_kind, min(coalesce(r.kind, e.to_kind)) as to_kind,
        {{ dewpoint.relation_type('e.relation') }} as type,
        {{ dewpoint.is_turned('e.relation') }} as turned,
        max(case e.on_delete when 'cascade' then 3 when 'block' then 2 when 'detach' then 1 else 0 end) as strictness
    from {{ source('dewpoint', 'edges') }} e
    left join {{ source('dewpoint', 'resources') }} r on r._id = case when e.to_kind = '*' then e.to_id end
    where e.to_id is not null
    group by e.from_id, e.to_id, e.relation
) resolved
