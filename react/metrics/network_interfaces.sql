-- help: Network interfaces.
-- type: gauge
SELECT cloud, account, region, network_interface_status AS status, count(*) AS value
FROM network_interfaces
GROUP BY 1, 2, 3, 4
