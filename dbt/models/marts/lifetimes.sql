-- The distribution of ages of what there is, and of lifetimes of what ended, per team and kind.
with spans as (
    select 'standing' as state, coalesce(team, 'unknown') as team, kind, age_days as days from {{ ref('resource_ages') }} where age_days is not null
    union all
    select 'ended', coalesce(team, 'unknown'), kind, lifetime_days from {{ ref('resource_ends') }} where lifetime_days is not null
), ranked as (
    select state, team, kind, days,
        row_number() over (partition by state, team, kind order by days) as n,
        count(*) over (partition by state, team, kind) as total
    from spans
)

select state, team, kind, max(total) as resources, min(days) as shortest_days,
    max(case when n = cast(ceil(total * 0.5) as int) then days end) as median_days,
    max(case when n = cast(ceil(total * 0.9) as int) then days end) as p90_days,
    max(days) as longest_days
from ranked
group by state, team, kind
