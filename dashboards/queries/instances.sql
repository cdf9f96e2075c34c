-- help: Virtual machines and nodes, one row each; a node whose machine was read counts as the machine.
-- text: cloud, account, region, team, owner, name, id, type, status
-- number: instances, running, stopped, cores
SELECT i.cloud, a.account_name AS account, i.region, coalesce(o.team, 'unknown') AS team, coalesce(o.owner, 'nobody') AS owner,
    coalesce(i.name, i.id) AS name, i.id, coalesce(i.instance_type, 'unknown') AS type, coalesce(i.instance_status, 'unknown') AS status,
    1 AS instances,
    CASE WHEN i.instance_status = 'running' THEN 1 ELSE 0 END AS running,
    CASE WHEN i.instance_status = 'stopped' THEN 1 ELSE 0 END AS stopped,
    i.instance_cores AS cores
FROM {models}.stg_instances i
JOIN {models}.account_names a ON a.cloud = i.cloud AND a.account = i.account
LEFT JOIN {models}.resource_owners o ON o._id = i._id
WHERE i.counted AND coalesce(i.instance_status, '') <> 'terminated'
