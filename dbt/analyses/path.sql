-- How two resources are related: a shortest chain of relationships, searched from both ends and not through hubs.
{% set half = 3 %}
with start_0 as (
    select _id, {{ dewpoint.as_text('_id') }} as trail from (select {{ dewpoint.parameter('from') }} as _id) a
), end_0 as (
    select _id, {{ dewpoint.as_text('_id') }} as trail from (select {{ dewpoint.parameter('to') }} as _id) b
),
{% for n in range(1, half + 1) %}
start_{{ n }} as (
    select x.neighbour_id as _id, min(s.trail || '>' || {{ dewpoint.as_text('x.neighbour_id') }}) as trail
    from start_{{ n - 1 }} s
    {%- if n > 1 %} join {{ ref('graph_nodes') }} h on h._id = s._id and not h.is_hub {%- endif %}
    join {{ ref('neighbours') }} x on x._id = s._id
    group by x.neighbour_id
),
end_{{ n }} as (
    select x.neighbour_id as _id, min({{ dewpoint.as_text('x.neighbour_id') }} || '>' || s.trail) as trail
    from end_{{ n - 1 }} s
    {%- if n > 1 %} join {{ ref('graph_nodes') }} h on h._id = s._id and not h.is_hub {%- endif %}
    join {{ ref('neighbours') }} x on x._id = s._id
    group by x.neighbour_id
),
{% endfor %}
meetings as (
{% for a in range(0, half + 1) %}{% set last = loop.last %}{% for b in (range(a, a + 2) if a < half else [half]) if b <= half %}
    select {{ a + b }} as steps, s.trail || substr(e.trail, {{ 37 }}) as trail
    from start_{{ a }} s join end_{{ b }} e on e._id = s._id
    {%- if a > 0 and b > 0 %} join {{ ref('graph_nodes') }} h on h._id = s._id and not h.is_hub {%- endif %}
    {{ 'union all' if not (last and loop.last) }}
{% endfor %}{% endfor %}
), best as (
    select trail from meetings order by steps, trail limit 1
), parts as (
    select p.value as node, cast((strpos_at - 1) / 37 as int) as step
    from best {{ dewpoint.each_part('best.trail', 'p') }}
), nodes as (
    select p.step, r._id, r.kind, r.id, r.name, r.account, r.region, lag(r._id) over (order by p.step) as previous_id
    from parts p join {{ source('dewpoint', 'resources') }} r on r._id = cast(p.node as {{ dewpoint.id_type() }})
)

select n.step, {{ dewpoint.as_text('n._id') }} as _id, n.kind, n.id, n.name, n.account, n.region,
    min(case when x.direction = 'out' then x.type end) as forward, min(case when x.direction = 'in' then x.type end) as backward
from nodes n
left join {{ ref('neighbours') }} x on x._id = n.previous_id and x.neighbour_id = n._id
group by n.step, n._id, n.kind, n.id, n.name, n.account, n.region
order by n.step
