-- help: Who owns each resource that can bear tags or hangs on one that does. found says by what: its tags, those of a neighbour, or nothing.
-- text: cloud, account, region, kind, team, owner, found
-- number: resources, owned, ownerless
SELECT o.cloud, a.account_name AS account, o.region, o.kind, coalesce(o.team, 'unknown') AS team, coalesce(o.owner, 'nobody') AS owner,
    CASE WHEN o.owner IS NULL THEN 'no owner' WHEN o.owner_from = 'tags' THEN 'its own tags' ELSE 'what it hangs on' END AS found,
    1 AS resources,
    CASE WHEN o.owner IS NULL THEN 0 ELSE 1 END AS owned,
    CASE WHEN o.owner IS NULL THEN 1 ELSE 0 END AS ownerless
FROM {models}.resource_owners o
JOIN {models}.account_names a ON a.cloud = o.cloud AND a.account = o.account
WHERE o.owner_from IS NOT NULL OR o._id IN (SELECT _id FROM {models}.tag_compliance)
