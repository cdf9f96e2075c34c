-- help: Cost of block devices a month, by size and list prices.
-- type: gauge
SELECT v.cloud, v.account, v.region, v.volume_type AS type, v.volume_status AS status, sum(p.price * v.volume_size_bytes / 1073741824) AS value
FROM volumes v
JOIN {{prices "volume"}} p ON p.cloud = v.cloud AND p.region = v.region AND p.type = v.volume_type
GROUP BY 1, 2, 3, 4, 5
