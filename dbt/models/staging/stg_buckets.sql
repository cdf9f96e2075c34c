-- Written by go generate: do not edit.
-- Object stores.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.encryption_enabled,
    v.versioning_enabled
from {{ source('dewpoint', 'buckets') }} v
