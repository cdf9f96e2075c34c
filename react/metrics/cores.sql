-- help: Virtual CPUs of running virtual machines; those of unknown types are left out.
-- type: gauge
SELECT i.cloud, i.account, i.region, i.instance_type AS type, sum(coalesce(i.instance_cores, t.instance_cores)) AS value
FROM instances i
LEFT JOIN (
    SELECT cloud, id, max(instance_cores) AS instance_cores, max(instance_memory_bytes) AS instance_memory_bytes
    FROM instance_types GROUP BY 1, 2
) t ON t.cloud = i.cloud AND t.id = i.instance_type
WHERE i.instance_status = 'running' AND i._id NOT IN (
    SELECT e.from_id FROM edges e JOIN resources r ON r._id = e.to_id
    WHERE e.from_kind = 'kubernetes_node' AND r.base = 'instance'
)
GROUP BY 1, 2, 3, 4
