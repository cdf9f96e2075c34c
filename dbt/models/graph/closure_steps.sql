{{ config(materialized='view') }}
-- The dependencies that the closure follows: what is only unlinked does not go down.
select from_id, to_id, strength from {{ ref('dependencies') }} where strength > 0
