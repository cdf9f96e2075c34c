-- Written by go generate: do not edit.
-- Machine types on offer.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.instance_cores,
    v.instance_memory_bytes
from {{ source('dewpoint', 'instance_types') }} v
