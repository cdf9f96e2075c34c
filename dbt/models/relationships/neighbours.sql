{{ config(materialized='view') }}
-- The relationships from both ends.
select from_id as _id, to_id as neighbour_id, to_kind as neighbour_kind, type, relation, 'out' as direction, on_delete, origin
from {{ ref('relationships') }}
union all
select to_id, from_id, from_kind, type, relation, 'in', on_delete, origin
from {{ ref('relationships') }}
