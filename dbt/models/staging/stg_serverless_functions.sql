-- Written by go generate: do not edit.
-- Functions.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.memory_bytes,
    v.runtime
from {{ source('dewpoint', 'serverless_functions') }} v
