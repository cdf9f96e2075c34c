-- Written by go generate: do not edit.
-- Service quotas.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.quota,
    v.quota_unit
from {{ source('dewpoint', 'quotas') }} v
