-- Written by go generate: do not edit.
-- Network interfaces.
select v._id, v.id, v.name, v.kind, v.tags, v.created_at, v.updated_at, v.cloud, v.account, v.region, v.urn,
    lower(v.network_interface_status) as network_interface_status,
    v.network_interface_type,
    v.mac,
    v.private_ip,
    v.public_ip
from {{ source('dewpoint', 'network_interfaces') }} v
