-- Written by go generate: do not edit.
-- Groups that scale instances.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.min_size,
    v.max_size
from {{ source('dewpoint', 'autoscaling_groups') }} v
