-- Written by go generate: do not edit.
-- Load balancers.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.lb_type,
    v.public,
    v.dns_name
from {{ source('dewpoint', 'load_balancers') }} v
