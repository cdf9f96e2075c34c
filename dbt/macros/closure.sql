{# The directed closure of a relation of (from_id, to_id, strength) up to a number of steps, one row per pair with the
   fewest steps. Each level is a join of its own: databases differ in what a recursive query may do, and a bounded one
   needs none. Levels are walks without repeated rows, so that diamonds do not multiply.

   strength is 2 for a cascade and 1 for a block. That of a walk is its first step's where all further steps are
   cascades, else 0: 2 says that from goes when to is deleted, 1 that from blocks that. #}
{% macro closure(steps, depth) %}
with level_1 as (
    select from_id, to_id, max(strength) as strength from {{ steps }} where from_id <> to_id group by from_id, to_id
),
{% for d in range(2, depth + 1) %}
level_{{ d }} as (
    select a.from_id, b.to_id, max(case when b.strength = 2 then a.strength else 0 end) as strength
    from level_{{ d - 1 }} a join level_1 b on b.from_id = a.to_id
    where a.from_id <> b.to_id
    group by a.from_id, b.to_id
),
{% endfor %}
levels as (
{% for d in range(1, depth + 1) %}
    select from_id, to_id, {{ d }} as depth, strength from level_{{ d }} {{ 'union all' if not loop.last }}
{% endfor %}
)
select from_id, to_id, min(depth) as depth, max(strength) as strength from levels group by from_id, to_id
{% endmacro %}
