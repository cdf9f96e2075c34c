-- help: What was created and what ended, per month and kind. Dates before 2006 are placeholders of the clouds.
-- date: month
-- text: cloud, account, kind
-- number: created, ended
SELECT cast(date_trunc('month', c.day) AS date) AS month, c.cloud, a.account_name AS account, c.kind, c.created, c.ended
FROM {models}.churn c
JOIN {models}.account_names a ON a.cloud = c.cloud AND a.account = c.account
WHERE c.day >= DATE '2006-01-01'
