-- help: How many dated resources stood at the end of each month, per cloud and account, and what was created and ended in it. Dates before 2006 are placeholders of the clouds.
-- date: month
-- text: cloud, account
-- number: created, ended, standing
WITH changes AS (
    SELECT cast(date_trunc('month', day) AS date) AS month, cloud, account, sum(created) AS created, sum(ended) AS ended
    FROM {models}.churn
    WHERE day >= DATE '2006-01-01'
    GROUP BY cast(date_trunc('month', day) AS date), cloud, account
), months AS (
    SELECT DISTINCT month FROM changes
), places AS (
    SELECT DISTINCT cloud, account FROM changes
)
SELECT m.month, p.cloud, a.account_name AS account, coalesce(c.created, 0) AS created, coalesce(c.ended, 0) AS ended,
    sum(coalesce(c.created, 0) - coalesce(c.ended, 0)) OVER (PARTITION BY p.cloud, p.account ORDER BY m.month) AS standing
FROM months m
CROSS JOIN places p
JOIN {models}.account_names a ON a.cloud = p.cloud AND a.account = p.account
LEFT JOIN changes c ON c.month = m.month AND c.cloud = p.cloud AND c.account = p.account
