-- help: Resources with a tag that names the day they end.
-- text: cloud, account, region, kind, team, owner, name, id, says, state
-- date: expires_on
-- number: days_over, resources, expired
SELECT o.cloud, a.account_name AS account, e.region, e.kind, coalesce(e.team, 'unknown') AS team, coalesce(e.owner, 'nobody') AS owner,
    coalesce(e.name, e.id) AS name, e.id, e.value AS says,
    CASE WHEN e.expired THEN 'expired' WHEN NOT e.valid THEN 'no date' WHEN e.expires_on IS NULL THEN 'never' ELSE 'later' END AS state,
    e.expires_on, current_date - e.expires_on AS days_over, 1 AS resources,
    CASE WHEN e.expired THEN 1 ELSE 0 END AS expired
FROM {models}.expirations e
JOIN {models}.resource_owners o ON o._id = e._id
JOIN {models}.account_names a ON a.cloud = o.cloud AND a.account = o.account
