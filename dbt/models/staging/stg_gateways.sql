-- Written by go generate: do not edit.
-- Internet, NAT and transit gateways.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {{ source('dewpoint', 'gateways') }} v
