{{ config(materialized='view') }}
-- Where services and ingresses of Kubernetes are reached from outside: the addresses and host names of their load balancers, as
-- their status says.
{% for kind in ['kubernetes_service', 'kubernetes_ingress'] %}
select s._id, s.kind, s.name,
    {{ dewpoint.json_text('p.value', 'ip') }} as ip, {{ dewpoint.host_name(dewpoint.json_text('p.value', 'hostname')) }} as host
from {{ source('dewpoint', kind) }} s
{{ dewpoint.each_item(dewpoint.json_array(dewpoint.json_get('s.status_load_balancer', 'ingress')), 'p') }}
{{ 'union all' if not loop.last }}
{% endfor %}
