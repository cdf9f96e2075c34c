-- help: Size of the block devices that are attached to nothing.
-- type: gauge
-- unit: bytes
SELECT cloud, account, region, volume_type AS type, sum(volume_size_bytes) AS value
FROM volumes
WHERE volume_status = 'available'
GROUP BY 1, 2, 3, 4
