{{ config(indexes=[{'columns': ['from_id']}]) }}
-- What traffic that comes to a resource reaches, in up to max_depth steps. One row per pair, with the fewest steps.
select from_id, to_id, depth from (
{{ dewpoint.closure(ref('flows'), var('max_depth')) }}
) c
order by from_id, to_id
