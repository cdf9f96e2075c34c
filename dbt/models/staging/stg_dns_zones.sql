-- Written by go generate: do not edit.
-- DNS zones.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.private_zone
from {{ source('dewpoint', 'dns_zones') }} v
