-- Written by go generate: do not edit.
-- Managed Kubernetes clusters.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    v.version,
    v.endpoint
from {{ source('dewpoint', 'kubernetes_clusters') }} v
