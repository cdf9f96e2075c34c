-- Resources with a tag that names a day they end. A value that is no date stands with expires_on NULL and valid false.
with tagged as (
    select _id, kind, id, name, account, region, {{ dewpoint.first_tag('tags', var('expiry_tags')) }} as value
    from {{ source('dewpoint', 'resources') }}
), dated as (
    select *, {{ dewpoint.try_date('value') }} as expires_on from tagged where value is not null
)

select d._id, d.kind, d.id, d.name, d.account, d.region, o.owner, o.team, d.value, d.expires_on,
    d.expires_on is not null or lower(d.value) = 'never' as valid,
    coalesce(d.expires_on < {{ dewpoint.utc_day(dewpoint.utc_now()) }}, false) as expired
from dated d
left join {{ ref('resource_owners') }} o on o._id = d._id
