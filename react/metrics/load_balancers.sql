-- help: Load balancers.
-- type: gauge
SELECT cloud, account, region, lb_type AS type, count(*) AS value
FROM load_balancers
GROUP BY 1, 2, 3, 4
