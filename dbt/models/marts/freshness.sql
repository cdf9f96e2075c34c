-- How the last reading of each scope ended and how long ago it was last complete.
select cloud, account, region, kind, state, last_complete,
    {{ dewpoint.days_between('last_complete', dewpoint.utc_now()) }} * 24 as age_hours,
    state in ('complete', 'not_applicable') as complete,
    state not in ('not_applicable', 'skipped') and coalesce({{ dewpoint.days_between('last_complete', dewpoint.utc_now()) }} * 24 > {{ var('stale_hours') }}, true) as stale
from {{ source('dewpoint', 'scope_freshness') }}
