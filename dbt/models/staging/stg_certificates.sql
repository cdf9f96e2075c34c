-- Written by go generate: do not edit.
-- TLS certificates.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.expires_at,
    v.dns_names
from {{ source('dewpoint', 'certificates') }} v
