{{ config(materialized='view') }}
-- A function and the log group that it writes to by default.
select f._id as from_id, f.kind as from_kind, 'owns' as type, g._id as to_id, g.kind as to_kind, 'logs' as relation
from {{ ref('stg_log_groups') }} g
join {{ ref('stg_serverless_functions') }} f
    on f.account = g.account and f.region = g.region and g.name = '/aws/lambda/' || f.name
where g.kind = 'aws_logs_log_group' and f.kind = 'aws_lambda_function'
