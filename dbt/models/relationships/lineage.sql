{{ config(indexes=[{'columns': ['_id']}, {'columns': ['origin_id']}]) }}
-- Where instances, images, snapshots and volumes come from, over any number of copies up to max_depth: an image from its snapshot,
-- and so from the snapshot's volume. One row per pair, with the fewest steps.
select c.from_id as _id, f.kind, c.to_id as origin_id, t.kind as origin_kind, c.depth
from (
{{ dewpoint.closure(ref('lineage_steps'), var('max_depth')) }}
) c
join {{ source('dewpoint', 'resources') }} f on f._id = c.from_id
join {{ source('dewpoint', 'resources') }} t on t._id = c.to_id
