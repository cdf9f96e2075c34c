{{ config(materialized='view') }}
-- Where traffic goes on from a resource: along routes, from an address to what bears it, from an interface to what uses it, from
-- a load balancer to its listeners and target groups.
select distinct from_id, to_id, 1 as strength
from (
    select from_id, to_id from {{ ref('relationships') }}
    where (type = 'routes' and relation not in ('logs_to', 'targets_not_ready')) or relation = 'endpoints_of'
    union all
    select from_id, to_id from {{ ref('relationships') }} r join {{ ref('stg_ip_addresses') }} a on a._id = r.from_id where r.type = 'attaches'
    union all
    select r.to_id, r.from_id
    from {{ ref('relationships') }} r
    join {{ ref('stg_network_interfaces') }} i on i._id = r.to_id where r.type = 'uses'
    union all
    select r.to_id, r.from_id
    from {{ ref('relationships') }} r
    join {{ ref('stg_ip_addresses') }} a on a._id = r.to_id where r.type in ('uses', 'attaches') and r.origin = 'declared'
    union all
    select r.from_id, r.to_id
    from {{ ref('relationships') }} r
    join {{ ref('stg_load_balancers') }} l on l._id = r.from_id where r.type = 'contains'
    union all
    select r.to_id, r.from_id
    from {{ ref('relationships') }} r
    join {{ ref('stg_load_balancers') }} l on l._id = r.to_id where r.type = 'attaches'
) f
