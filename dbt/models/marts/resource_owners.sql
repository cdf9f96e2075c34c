{{ config(indexes=[{'columns': ['_id']}]) }}
-- Who owns a resource and which team, by its tags or, where it has none, by those of what it hangs on: the instance of a volume,
-- the volume of a snapshot. owner_from says which. One row per resource.
with tagged as (
    select _id,
        {{ dewpoint.first_tag('tags', var('owner_tags')) }} as owner,
        {{ dewpoint.first_tag('tags', var('team_tags')) }} as team
    from {{ source('dewpoint', 'resources') }}
), hands as (
    -- From the one that is used to the one that uses it, and from the copy to what it was made from.
    select r.to_id as _id, t.owner, t.team
    from {{ ref('relationships') }} r
    join tagged t on t._id = r.from_id
    where r.type in ('uses', 'attaches', 'owns') and r.referrer = 'from' and r.relation not in ('created_from', 'monitors')
    union all
    select r.from_id, t.owner, t.team
    from {{ ref('relationships') }} r
    join tagged t on t._id = r.to_id
    where r.relation = 'created_from'
), inherited as (
    -- Only what all of them agree on.
    select _id,
        case when min(owner) = max(owner) then min(owner) end as owner,
        case when min(team) = max(team) then min(team) end as team
    from hands group by _id
)

select r._id, r.kind, r.cloud, r.account, r.region,
    coalesce(t.owner, i.owner) as owner, coalesce(t.team, i.team) as team,
    case when t.owner is not null or t.team is not null then 'tags'
        when i.owner is not null or i.team is not null then 'neighbour' end as owner_from
from {{ source('dewpoint', 'resources') }} r
join tagged t on t._id = r._id
left join inherited i on i._id = r._id
