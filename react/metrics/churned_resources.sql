-- help: Resources that were created, changed or deleted in the last 24 hours, by kind.
-- type: gauge
SELECT kind, 'created' AS change, count(*) AS value
FROM resources
WHERE created_at >= {{ago "24h"}}
GROUP BY 1
UNION ALL
SELECT kind, change, count(DISTINCT _id) AS value
FROM resource_history
WHERE valid_to >= {{ago "24h"}} AND change IN ('changed', 'deleted')
GROUP BY 1, 2
