{{ config(materialized='view') }}
-- A DNS record and what its value names: an address, or the host name of a load balancer, a database, a distribution.
with wanted as (
    select r._id, r.kind, r.type as record_type, {{ dewpoint.host_name('r.value') }} as target
    from {{ source('dewpoint', 'aws_route53_record') }} r
    where r.type in ('A', 'AAAA', 'CNAME')
    union all
    select s._id, s.kind, 'ALIAS', {{ dewpoint.host_name('s.alias_target_dns_name') }}
    from {{ source('dewpoint', 'aws_route53_record_set') }} s
    where s.alias_target_dns_name is not null
    union all
    select g._id, g.kind, g.type, {{ dewpoint.host_name('d.value') }}
    from {{ source('dewpoint', 'gcp_dns_record_set') }} g
    {{ dewpoint.each_text('g.rrdatas', 'd') }}
    where g.type in ('A', 'AAAA', 'CNAME')
), hosts as (
    select {{ dewpoint.host_name('dns_name') }} as host, _id, kind from {{ ref('stg_load_balancers') }} where dns_name is not null
    union all
    select {{ dewpoint.host_name('db_endpoint') }}, _id, kind from {{ ref('stg_databases') }} where db_endpoint is not null
    union all
    select {{ dewpoint.host_name('domain_name') }}, _id, kind from {{ source('dewpoint', 'aws_cloudfront_distribution') }}
    union all
    select {{ dewpoint.host_name('name') }}, _id, kind from {{ source('dewpoint', 'aws_route53_record_set') }} where type in ('A', 'AAAA', 'CNAME')
    union all
    select {{ dewpoint.host_name('name') }}, _id, kind from {{ source('dewpoint', 'gcp_dns_record_set') }} where type in ('A', 'AAAA', 'CNAME')
)

select w._id as from_id, w.kind as from_kind, 'routes' as type, a._id as to_id, a.kind as to_kind, 'resolves_to' as relation
from wanted w
join {{ ref('addresses') }} a on a.ip = w.target
where w.record_type in ('A', 'AAAA') and a.public
union
select w._id, w.kind, 'routes', h._id, h.kind, 'resolves_to'
from wanted w
join hosts h on h.host = case when w.target like 'dualstack.%' then substr(w.target, 11) else w.target end
where w.record_type in ('CNAME', 'ALIAS') and h._id <> w._id
