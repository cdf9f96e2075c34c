-- Written by go generate: do not edit.
-- Reserved addresses.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.ip_address
from {{ source('dewpoint', 'ip_addresses') }} v
