-- What was created and what ended, per day and kind. Days are UTC.
with events as (
    select {{ dewpoint.utc_day('created_at') }} as day, cloud, account, kind, 1 as created, 0 as ended
    from {{ source('dewpoint', 'resources') }} where created_at is not null
    union all
    select {{ dewpoint.utc_day('created_at') }}, cloud, account, kind, 1, 0 from {{ ref('resource_ends') }} where created_at is not null
    union all
    select {{ dewpoint.utc_day('ended_at') }}, cloud, account, kind, 0, 1 from {{ ref('resource_ends') }}
)

select day, cloud, account, kind, cast(sum(created) as bigint) as created, cast(sum(ended) as bigint) as ended
from events group by day, cloud, account, kind
