{{ config(materialized='view') }}
-- What goes down with a resource, and what blocks its deletion. effect is
--   goes      it is deleted with the resource,
--   blocks    it has to be deleted first, or the deletion is refused,
--   breaks    it needs something that goes,
--   detached  it loses a link and stays.
select to_id as resource_id, from_id as affected_id, depth,
    case strength when 2 then 'goes' when 1 then 'blocks' else 'breaks' end as effect
from {{ ref('closure') }}
union all
select d.to_id, d.from_id, 1, 'detached'
from {{ ref('dependencies') }} d
where d.strength = 0 and d.from_id <> d.to_id
    and not exists (select 1 from {{ ref('closure') }} c where c.to_id = d.to_id and c.from_id = d.from_id)
