-- help: Resources without a required tag, by kind, of those whose tags are known.
-- type: gauge
SELECT cloud, account, kind, count(*) AS value
FROM resources
WHERE tags IS NOT NULL AND ({{range $i, $key := required_tags}}{{if $i}} OR {{end}}coalesce({{tag $key}}, '') = ''{{end}})
GROUP BY 1, 2, 3
