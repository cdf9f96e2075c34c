-- Written by go generate: do not edit.
-- Credentials of users and services.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    lower(v.access_key_status) as access_key_status
from {{ source('dewpoint', 'access_keys') }} v
