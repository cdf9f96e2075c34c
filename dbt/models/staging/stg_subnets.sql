-- Written by go generate: do not edit.
-- Subnets.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.cidr_block
from {{ source('dewpoint', 'subnets') }} v
