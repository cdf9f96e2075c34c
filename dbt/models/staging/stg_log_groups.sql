-- Written by go generate: do not edit.
-- Groups of logs.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.retention_days,
    v.stored_bytes
from {{ source('dewpoint', 'log_groups') }} v
