-- Written by go generate: do not edit.
-- Managed databases.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.db_type,
    v.db_status,
    v.db_endpoint,
    v.db_version,
    v.db_publicly_accessible,
    v.instance_type,
    v.volume_size_bytes,
    v.volume_iops,
    v.volume_encrypted,
    coalesce(s.canonical_id, v._id) as canonical_id,
    s.canonical_id is null as counted
from {{ source('dewpoint', 'databases') }} v
left join {{ ref('same_things') }} s on s._id = v._id
