-- What goes down with a resource and what blocks its deletion, as a tree: each row names the row it hangs on.
with target as (
    select {{ dewpoint.parameter('resource') }} as _id
), affected as (
    select b.affected_id as _id, b.depth, b.effect
    from {{ ref('blast_radius') }} b join target t on b.resource_id = t._id
), tree as (
    select _id, depth from affected where effect <> 'detached'
    union all
    select _id, 0 from target
), parents as (
    select a._id, min({{ dewpoint.as_text('p._id') }}) as parent
    from affected a
    join {{ ref('dependencies') }} d on d.from_id = a._id
    join tree p on p._id = d.to_id and p.depth = a.depth - 1
    group by a._id
)

select
    {{ dewpoint.as_text('a._id') }} as _id, p.parent as parent_id, a.depth, a.effect,
    r.kind, r.id, r.name, r.account, r.region, count(*) over (partition by a.effect) as effect_total
from affected a
left join parents p on p._id = a._id
join {{ source('dewpoint', 'resources') }} r on r._id = a._id
order by a.depth, case a.effect when 'goes' then 0 when 'blocks' then 1 when 'breaks' then 2 else 3 end, r.kind, r.name, r.id
limit {{ var('limit', 500) }}
