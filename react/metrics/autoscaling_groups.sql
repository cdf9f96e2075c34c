-- help: Groups that scale instances.
-- type: gauge
SELECT cloud, account, region, count(*) AS value
FROM autoscaling_groups
GROUP BY 1, 2, 3
