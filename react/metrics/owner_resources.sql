-- help: Resources by owner, of those whose tags are known; without an owner the label is empty.
-- type: gauge
SELECT cloud, account, {{owner}} AS owner, kind, count(*) AS value
FROM resources
WHERE tags IS NOT NULL
GROUP BY 1, 2, 3, 4
