-- help: Size of block devices by owner.
-- type: gauge
-- unit: bytes
SELECT cloud, account, {{owner}} AS owner, volume_status AS status, sum(volume_size_bytes) AS value
FROM volumes
WHERE tags IS NOT NULL
GROUP BY 1, 2, 3, 4
