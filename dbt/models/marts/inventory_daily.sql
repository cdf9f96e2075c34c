-- How many there were at the end of each day on which something changed, per kind and account. What the cloud tells no date of
-- counts from before the first day.
with undated as (
    select cloud, account, kind, count(*) as n from {{ source('dewpoint', 'resources') }} where created_at is null group by cloud, account, kind
), undated_ends as (
    select cloud, account, kind, count(*) as n from {{ ref('resource_ends') }} where created_at is null group by cloud, account, kind
)

select c.day, c.cloud, c.account, c.kind, c.created, c.ended,
    cast(coalesce(u.n, 0) + coalesce(x.n, 0) + sum(c.created - c.ended) over (partition by c.cloud, c.account, c.kind order by c.day rows unbounded preceding) as bigint) as total
from {{ ref('churn') }} c
left join undated u on u.cloud = c.cloud and u.account = c.account and u.kind = c.kind
left join undated_ends x on x.cloud = c.cloud and x.account = c.account and x.kind = c.kind
