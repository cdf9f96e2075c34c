-- help: Size of block devices.
-- type: gauge
-- unit: bytes
SELECT cloud, account, region, volume_type AS type, volume_status AS status, sum(volume_size_bytes) AS value
FROM volumes
GROUP BY 1, 2, 3, 4, 5
