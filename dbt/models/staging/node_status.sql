{{ config(materialized='view') }}
-- Whether the nodes of Kubernetes are ready, by their condition Ready, and what that is as the status of an instance: a node that
-- is not ready is busy, one that is not heard of is unknown.
select n._id, max({{ dewpoint.json_text('c.value', 'status') }}) as ready,
    case max({{ dewpoint.json_text('c.value', 'status') }}) when 'True' then 'running' when 'False' then 'busy' else 'unknown' end as instance_status
from {{ source('dewpoint', 'kubernetes_node') }} n
{{ dewpoint.each_item(dewpoint.json_array('n.status_conditions'), 'c') }}
where {{ dewpoint.json_text('c.value', 'type') }} = 'Ready'
group by n._id
