-- help: What each billable part of a resource costs a month at list price. A part whose price is not known has none and counts in unpriced.
-- text: cloud, account, region, kind, team, owner, name, id, part, basis
-- number: monthly_usd, parts, unpriced
SELECT c.cloud, a.account_name AS account, c.region, c.kind, coalesce(c.team, 'unknown') AS team, coalesce(c.owner, 'nobody') AS owner,
    coalesce(c.name, c.id) AS name, c.id, c.part, c.basis, c.monthly_usd, 1 AS parts,
    CASE WHEN c.missing THEN 1 ELSE 0 END AS unpriced
FROM {models}.resource_costs c
JOIN {models}.account_names a ON a.cloud = c.cloud AND a.account = c.account
