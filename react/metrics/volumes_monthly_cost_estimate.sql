-- help: Cost of block devices a month, by size and list prices.
-- type: gauge
SELECT v.cloud, v.account, v.region, v.type, v.status, p.price * v.bytes / 1073741824 AS value
FROM (
    SELECT cloud, account, region, volume_type AS type, volume_status AS status, sum(volume_size_bytes) AS bytes
    FROM volumes GROUP BY 1, 2, 3, 4, 5
) v
JOIN {{prices "volume"}} p ON p.cloud = v.cloud AND p.region = v.region AND p.type = v.type
WHERE v.bytes IS NOT NULL
