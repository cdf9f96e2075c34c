-- help: What the newest sync made of the rows that it read.
-- type: gauge
SELECT c.change, CASE c.change WHEN 'new' THEN s.new WHEN 'changed' THEN s.changed WHEN 'gone' THEN s.gone ELSE s.unchanged END AS value
FROM syncs s CROSS JOIN (SELECT 'new' AS change UNION ALL SELECT 'changed' UNION ALL SELECT 'gone' UNION ALL SELECT 'unchanged') c
WHERE s.started_at = (SELECT max(started_at) FROM syncs)
