-- help: Which resources have all required tags, of those whose tags are known.
-- text: cloud, account, region, kind, team, owner, name, id
-- number: resources, compliant, incompliant, missing_tags
SELECT t.cloud, a.account_name AS account, t.region, t.kind, coalesce(o.team, 'unknown') AS team, coalesce(o.owner, 'nobody') AS owner,
    coalesce(t.name, t.id) AS name, t.id, 1 AS resources,
    CASE WHEN t.compliant THEN 1 ELSE 0 END AS compliant,
    CASE WHEN t.compliant THEN 0 ELSE 1 END AS incompliant,
    t.lacking AS missing_tags
FROM {models}.tag_compliance t
JOIN {models}.account_names a ON a.cloud = t.cloud AND a.account = t.account
LEFT JOIN {models}.resource_owners o ON o._id = t._id
