{{ config(indexes=[{'columns': ['from_id']}, {'columns': ['to_id', 'strength']}]) }}
-- Who needs whom: the relationships whose referrer does not stay as it is when the other end is deleted. strength is 2 for a
-- cascade, 1 for a block, 0 for a detach, which only unlinks.
select
    case when referrer = 'from' then from_id else to_id end as from_id,
    case when referrer = 'from' then to_id else from_id end as to_id,
    case on_delete when 'cascade' then 2 when 'block' then 1 else 0 end as strength,
    type, relation
from {{ ref('relationships') }}
where on_delete in ('cascade', 'block', 'detach')
