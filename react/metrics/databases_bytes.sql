-- help: Storage allocated to managed databases. A cluster is not counted beside its members.
-- type: gauge
-- unit: bytes
SELECT d.cloud, d.account, d.region, d.db_type AS type, d.instance_type, sum(d.volume_size_bytes) AS value
FROM databases d
WHERE d._id NOT IN (
    SELECT e.to_id FROM edges e
    WHERE e.relation = 'member_of' AND e.to_id IS NOT NULL AND e.from_kind IN (SELECT kind FROM databases)
)
GROUP BY 1, 2, 3, 4, 5
