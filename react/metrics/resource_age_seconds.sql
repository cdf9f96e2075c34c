-- help: Average age of the resources whose creation time is known, by kind.
-- type: gauge
-- unit: seconds
SELECT cloud, account, kind, avg({{seconds "created_at" now}}) AS value
FROM resources
WHERE created_at IS NOT NULL
GROUP BY 1, 2, 3
