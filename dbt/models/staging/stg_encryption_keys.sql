-- Written by go generate: do not edit.
-- Keys of a key management service.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    lower(v.key_status) as key_status
from {{ source('dewpoint', 'encryption_keys') }} v
