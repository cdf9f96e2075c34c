-- Written by go generate: do not edit.
-- Virtual machines and nodes.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.instance_type,
    coalesce(v.instance_status, n.instance_status) as instance_status,
    v.instance_cores,
    v.instance_memory_bytes,
    coalesce(s.canonical_id, v._id) as canonical_id,
    s.canonical_id is null as counted
from {{ source('dewpoint', 'instances') }} v
left join {{ ref('same_things') }} s on s._id = v._id
left join {{ ref('node_status') }} n on n._id = v._id
