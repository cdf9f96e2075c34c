-- What goes down with a resource and what blocks its deletion, as a tree: each row names the row it hangs on. Of the nearest,
-- the first ten of each kind come before the others; goes, blocks, breaks and detached count all, shown or not.
with affected as (
    select affected_id as _id, depth, effect
    from {{ ref('blast_radius') }} where resource_id = {{ dewpoint.parameter('resource') }}
), totals as (
    select count(case when effect = 'goes' then 1 end) as goes, count(case when effect = 'blocks' then 1 end) as blocks,
        count(case when effect = 'breaks' then 1 end) as breaks, count(case when effect = 'detached' then 1 end) as detached
    from affected
), candidates as (
    -- Of what hangs on a hub, twenty times the limit is named.
    select * from (
        select p.*, row_number() over (order by depth, place, _id) as n
        from (select _id, depth, effect, case effect when 'goes' then 0 when 'blocks' then 1 when 'breaks' then 2 else 3 end as place from affected) p
    ) q
    where n <= 20 * {{ var('limit', 500) }}
), named as (
    select c._id, c.depth, c.effect, c.place, r.kind, r.id, r.name, r.account, r.region,
        row_number() over (partition by c.depth, c.effect, r.kind order by r.name, r.id) as nth
    from candidates c
    {{ dewpoint.join_by_id(source('dewpoint', 'resources'), 'r', 'c._id') }}
), nearest as (
    select * from named
    order by depth, case when nth <= 10 then 0 else 1 end, place, kind, nth
    limit {{ var('limit', 500) }}
), tree as (
    select _id, depth from nearest where effect <> 'detached'
    union all
    select {{ dewpoint.parameter('resource') }}, 0
), parents as (
    select n._id, min({{ dewpoint.as_text('p._id') }}) as parent
    from nearest n
    join {{ ref('dependencies') }} d on d.from_id = n._id
    join tree p on p._id = d.to_id and p.depth = n.depth - 1
    group by n._id
)

select
    {{ dewpoint.as_text('n._id') }} as _id, p.parent as parent_id, n.depth, n.effect,
    n.kind, n.id, n.name, n.account, n.region, t.goes, t.blocks, t.breaks, t.detached
from nearest n
left join parents p on p._id = n._id
cross join totals t
order by n.depth, n.place, n.kind, n.nth
