-- help: Resources of which a detail could not be read in the last sync, by kind.
-- type: gauge
SELECT cloud, account, region, kind, count(*) AS value
FROM resources
WHERE _unread IS NOT NULL
GROUP BY 1, 2, 3, 4
