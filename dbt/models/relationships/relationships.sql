{{ config(indexes=[{'columns': ['from_id']}, {'columns': ['to_id']}]) }}
-- Who is related to whom: every edge that found its resource, and what no API states but joins tell. type is contains, uses,
-- attaches, routes, assumes or owns. referrer is the end that needs the other: from in "an instance uses a volume", to in "a
-- network contains a subnet". on_delete is what becomes of the referrer when the other end is deleted.
with derived as (
    {% set rules = ['address_interface', 'interface_balancer', 'dns_target', 'log_group_function', 'alarm_resource', 'role_assumption', 'balancer_service'] %}
    {% for r in rules %}
    select from_id, from_kind, type, to_id, to_kind, relation, '{{ r }}' as origin from {{ ref('derived_' ~ r) }} {{ 'union all' if not loop.last }}
    {% endfor %}
), fresh as (
    select from_id, min(from_kind) as from_kind, type, to_id, min(to_kind) as to_kind, min(relation) as relation, min(origin) as origin
    from derived where from_id <> to_id
    group by from_id, type, to_id
)

select from_id, from_kind, type, to_id, to_kind, relation, referrer, on_delete, origin
from {{ ref('declared_relationships') }}
union all
select f.from_id, f.from_kind, f.type, f.to_id, f.to_kind, f.relation, 'from', 'none', f.origin
from fresh f
left join {{ source('dewpoint', 'edges') }} e on e.from_id = f.from_id and e.to_id = f.to_id
where e.from_id is null
