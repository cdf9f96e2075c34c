-- help: Virtual machines that are stopped and still pay for their disks.
-- type: gauge
SELECT cloud, account, region, instance_type AS type, count(*) AS value
FROM instances
WHERE instance_status = 'stopped'
GROUP BY 1, 2, 3, 4
