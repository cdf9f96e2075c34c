-- help: Things that cost and that nothing uses, since when, and what they cost a month. unpriced counts those whose cost is not or only partly known.
-- text: cloud, account, region, kind, team, owner, name, id, what, reason, evidence, idle
-- number: things, days, monthly_usd, unpriced
SELECT o.cloud, a.account_name AS account, u.region, u.kind, coalesce(u.team, 'unknown') AS team, coalesce(u.owner, 'nobody') AS owner,
    coalesce(u.name, u.id) AS name, u.id, u.what, u.reason, u.evidence,
    CASE WHEN u.for_long THEN 'for long' WHEN u.days IS NULL THEN 'since when is unknown' ELSE 'of late' END AS idle,
    1 AS things, u.days, c.monthly_usd,
    CASE WHEN c._id IS NULL OR c.missing > 0 THEN 1 ELSE 0 END AS unpriced
FROM {models}.unused u
JOIN {models}.resource_owners o ON o._id = u._id
JOIN {models}.account_names a ON a.cloud = o.cloud AND a.account = o.account
LEFT JOIN (
    SELECT _id, sum(monthly_usd) AS monthly_usd, sum(CASE WHEN missing THEN 1 ELSE 0 END) AS missing
    FROM {models}.resource_costs
    GROUP BY _id
) c ON c._id = u._id
