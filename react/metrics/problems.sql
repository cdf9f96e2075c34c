-- help: What was wrong with answers in the last reading, by kind and code.
-- type: gauge
SELECT account, region, kind, code, sum(count) AS value
FROM problems
GROUP BY 1, 2, 3, 4
