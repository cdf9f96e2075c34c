-- Written by go generate: do not edit.
-- DNS records.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.record_type,
    v.record_ttl
from {{ source('dewpoint', 'dns_record_sets') }} v
