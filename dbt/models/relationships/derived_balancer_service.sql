{{ config(materialized='view') }}
-- A load balancer or forwarding rule of a cloud and the service or ingress of Kubernetes that it leads to, by the host name or the
-- public address that the cluster tells.
select l._id as from_id, l.kind as from_kind, 'routes' as type, p._id as to_id, p.kind as to_kind, 'exposes' as relation
from {{ ref('ingress_points') }} p
join {{ ref('stg_load_balancers') }} l on {{ dewpoint.host_name('l.dns_name') }} = p.host
where l.cloud <> 'kubernetes'
union
select f._id, f.kind, 'routes', p._id, p.kind, 'exposes'
from {{ ref('ingress_points') }} p
join {{ source('dewpoint', 'gcp_compute_forwarding_rule') }} f on f.ip_address = p.ip
where f.load_balancing_scheme like 'EXTERNAL%'
