-- Written by go generate: do not edit.
-- Stacks of managed resources.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    lower(v.stack_status) as stack_status
from {{ source('dewpoint', 'stacks') }} v
