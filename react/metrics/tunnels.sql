-- help: VPN tunnels.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM tunnels
GROUP BY 1, 2, 3
