{{ config(indexes=[{'columns': ['_id']}]) }}
-- How many relationships a resource has. A hub has more than hub_degree: path does not pass through it, for what two resources
-- share with thousands of others says nothing about them.
with ends as (
    select from_id as _id, count(*) as n from {{ ref('relationships') }} group by from_id
    union all
    select to_id, count(*) from {{ ref('relationships') }} group by to_id
)

select _id, cast(sum(n) as bigint) as degree, sum(n) > {{ var('hub_degree') }} as is_hub
from ends group by _id
