-- Written by go generate: do not edit.
-- Snapshots of volumes and databases.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    lower(v.snapshot_status) as snapshot_status,
    v.volume_id,
    v.volume_size_bytes,
    v.encrypted,
    v.owner_id
from {{ source('dewpoint', 'snapshots') }} v
