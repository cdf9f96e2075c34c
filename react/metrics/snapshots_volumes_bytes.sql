-- help: Size of what snapshots were taken of.
-- type: gauge
-- unit: bytes
SELECT cloud, account, region, snapshot_status AS status, sum(volume_size_bytes) AS value
FROM snapshots
GROUP BY 1, 2, 3, 4
