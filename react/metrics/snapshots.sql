-- help: Snapshots of volumes and databases.
-- type: gauge
SELECT cloud, account, region, snapshot_status AS status, count(*) AS value
FROM snapshots
GROUP BY 1, 2, 3, 4
