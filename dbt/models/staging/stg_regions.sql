-- Written by go generate: do not edit.
-- Regions and whether they are in use.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.region_in_use
from {{ source('dewpoint', 'regions') }} v
