-- A part has a price or is counted as missing, and none is there twice.
select _id, part, count(*) as n, sum(case when hourly_usd is null and not missing then 1 else 0 end) as unexplained
from {{ ref('resource_costs') }}
group by _id, part
having count(*) > 1 or sum(case when hourly_usd is null and not missing then 1 else 0 end) > 0
