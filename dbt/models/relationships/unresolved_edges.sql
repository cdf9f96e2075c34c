{{ config(materialized='view') }}
-- The references that found nothing, and why, by kind: with the relationships they are all edges there are.
select
    from_kind, relation, to_kind, resolution as reason,
    case resolution
        when 'not_collected' then 'no resource of that kind and name was read: the kind is skipped, or it is in an account or region that is not read'
        when 'ambiguous' then 'several resources bear that name'
        when 'gone' then 'the resource was there and is gone'
        else 'unknown'
    end as explanation,
    count(*) as edges, min(to_ref) as for_example
from {{ source('dewpoint', 'edges') }}
where to_id is null
group by from_kind, relation, to_kind, resolution
