-- help: Block devices.
-- type: gauge
SELECT cloud, account, region, volume_type AS type, volume_status AS status, count(*) AS value
FROM volumes
GROUP BY 1, 2, 3, 4, 5
