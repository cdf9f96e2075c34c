-- Written by go generate: do not edit.
-- Roots of organisations.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn
from {{ source('dewpoint', 'organizational_roots') }} v
