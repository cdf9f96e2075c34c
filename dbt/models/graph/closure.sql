{{ config(indexes=[{'columns': ['to_id', 'from_id']}, {'columns': ['from_id']}]) }}
-- Everything that a resource needs, over up to max_depth steps: from_id needs to_id. strength is 2 where from_id goes with to_id,
-- 1 where it has to be deleted before it, 0 where it would only stop to work. One row per pair, with the fewest steps.
{{ dewpoint.closure(ref('closure_steps'), var('max_depth')) }}
order by to_id, from_id
