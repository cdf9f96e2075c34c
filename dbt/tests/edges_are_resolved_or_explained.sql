-- No edge is lost: per kind, those that found their resource and those that did not are all.
with declared as (
    select from_kind, count(*) as edges from {{ source('dewpoint', 'edges') }} group by from_kind
), resolved as (
    select e.from_kind, count(*) as edges
    from {{ source('dewpoint', 'edges') }} e
    join {{ ref('relationships') }} r
        on r.origin = 'declared' and r.relation = e.relation
        and r.from_id = case when {{ dewpoint.is_turned('e.relation') }} then e.to_id else e.from_id end
        and r.to_id = case when {{ dewpoint.is_turned('e.relation') }} then e.from_id else e.to_id end
    where e.to_id is not null
    group by e.from_kind
), unresolved as (
    select from_kind, sum(edges) as edges from {{ ref('unresolved_edges') }} group by from_kind
)

select d.from_kind, d.edges, r.edges as resolved, u.edges as unresolved
from declared d
left join resolved r on r.from_kind = d.from_kind
left join unresolved u on u.from_kind = d.from_kind
where d.edges <> coalesce(r.edges, 0) + coalesce(u.edges, 0)
