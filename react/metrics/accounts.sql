-- help: Accounts, projects and clusters that were read.
-- type: gauge
SELECT cloud, count(*) AS value
FROM accounts
GROUP BY 1
