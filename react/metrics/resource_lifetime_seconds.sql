-- help: Average time that the resources lived which were deleted in the last 30 days, by kind.
-- type: gauge
-- unit: seconds
SELECT cloud, account, kind, avg({{seconds "created_at" "valid_to"}}) AS value
FROM (
    SELECT kind, valid_to, {{json "doc" "cloud"}} AS cloud, {{json "doc" "account"}} AS account,
        CAST({{json "doc" "created_at"}} AS TIMESTAMP WITH TIME ZONE) AS created_at
    FROM resource_history
    WHERE change = 'deleted' AND valid_to >= {{ago "30d"}}
) h
WHERE created_at IS NOT NULL
GROUP BY 1, 2, 3
