-- help: Share of the resources that have each required tag, of those whose tags are known.
-- type: gauge
-- unit: ratio
{{range $i, $key := required_tags -}}
{{if $i}}UNION ALL
{{end -}}
SELECT cloud, account, {{literal $key}} AS tag, avg(CASE WHEN coalesce({{tag $key}}, '') <> '' THEN 1.0 ELSE 0.0 END) AS value
FROM resources
WHERE tags IS NOT NULL
GROUP BY 1, 2
{{end -}}
