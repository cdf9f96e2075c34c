-- Written by go generate: do not edit.
-- Shared file systems.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.share_size_bytes,
    v.share_encrypted
from {{ source('dewpoint', 'network_shares') }} v
