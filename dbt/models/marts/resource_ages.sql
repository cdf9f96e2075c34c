-- How old a resource is, by its own date or, where the cloud tells none, by when dewpoint saw it first since the last change.
select r._id, r.kind, r.base, r.cloud, r.account, r.region, o.owner, o.team, r.created_at,
    {{ dewpoint.days_between('r.created_at', dewpoint.utc_now()) }} as age_days,
    case
        when r.created_at is null then 'unknown'
        when {{ dewpoint.days_between('r.created_at', dewpoint.utc_now()) }} < 1 then '0 to 1 day'
        when {{ dewpoint.days_between('r.created_at', dewpoint.utc_now()) }} < 7 then '1 to 7 days'
        when {{ dewpoint.days_between('r.created_at', dewpoint.utc_now()) }} < 30 then '7 to 30 days'
        when {{ dewpoint.days_between('r.created_at', dewpoint.utc_now()) }} < 90 then '30 to 90 days'
        when {{ dewpoint.days_between('r.created_at', dewpoint.utc_now()) }} < 365 then '90 to 365 days'
        else 'over a year'
    end as age_band
from {{ source('dewpoint', 'resources') }} r
left join {{ ref('resource_owners') }} o on o._id = r._id
