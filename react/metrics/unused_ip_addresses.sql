-- help: Reserved addresses that nothing uses.
-- type: gauge
SELECT a.cloud, a.account, a.region, count(*) AS value
FROM ip_addresses a
WHERE NOT EXISTS (SELECT 1 FROM edges e WHERE e.from_id = a._id AND e.relation = 'attached_to')
    AND NOT EXISTS (SELECT 1 FROM edges e WHERE e.to_id = a._id)
GROUP BY 1, 2, 3
