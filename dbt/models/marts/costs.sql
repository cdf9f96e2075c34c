{{ config(materialized='view') }}
-- Estimated costs per account, region, kind and team. missing is how many parts have no price: they are not in the sums.
select cloud, account, region, kind, coalesce(team, 'unknown') as team, count(distinct _id) as resources,
    sum(hourly_usd) as hourly_usd, sum(monthly_usd) as monthly_usd,
    sum(case when missing then 1 else 0 end) as missing, count(*) as parts
from {{ ref('resource_costs') }}
group by cloud, account, region, kind, coalesce(team, 'unknown')
