-- Written by go generate: do not edit.
-- Block devices.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.volume_size_bytes,
    v.volume_type,
    v.volume_status,
    v.volume_iops,
    v.volume_throughput,
    v.volume_encrypted,
    coalesce(s.canonical_id, v._id) as canonical_id,
    s.canonical_id is null as counted
from {{ source('dewpoint', 'volumes') }} v
left join {{ ref('same_things') }} s on s._id = v._id
