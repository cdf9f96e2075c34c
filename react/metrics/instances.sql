-- help: Virtual machines. A Kubernetes node whose machine was read is counted as the machine.
-- type: gauge
SELECT i.cloud, i.account, i.region, i.instance_type AS type, i.instance_status AS status, count(*) AS value
FROM instances i
WHERE i._id NOT IN (
    SELECT e.from_id FROM edges e JOIN resources r ON r._id = e.to_id
    WHERE e.from_kind = 'kubernetes_node' AND r.base = 'instance'
)
GROUP BY 1, 2, 3, 4, 5
