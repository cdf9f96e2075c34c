-- Written by go generate: do not edit.
-- Route tables.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {{ source('dewpoint', 'routing_tables') }} v
