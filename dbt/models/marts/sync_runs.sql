{{ config(materialized='view') }}
-- The syncs there were: when, how long they took, what they read and changed, how many scopes could not be read.
select id as sync_id, started_at, finished_at, {{ dewpoint.days_between('started_at', 'finished_at') }} * 86400 as seconds, state, version,
    kinds, scopes, incomplete, {{ '"ROWS"' if target.type == 'snowflake' else '"rows"' }} as resources,
    new as created, changed, gone as ended, unchanged, unread, problems
from {{ source('dewpoint', 'syncs') }}
